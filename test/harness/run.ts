/** Runs a program to its end. @module */
import { type ChildProcess, spawn } from 'node:child_process'

export interface Ran {
  /** Of a program that a signal ended: 128 and the signal's number is the shell's way; here it is -1. */
  code: number
  stdout: string
  stderr: string
  /** Both, as they came. */
  output: string
}

export interface RunOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  input?: string | Buffer
  /** Input stays open until the program ends: script(1) types a character of its own where it ends early. */
  openInput?: boolean
  /** Milliseconds; then it is killed, and the promise rejects. */
  timeout?: number
  uid?: number
  gid?: number
  onSpawn?(child: ChildProcess): void
  /** Told of all output as it comes. */
  onOutput?(text: string): void
}

/** Never throws for an exit code: the caller asks for the one it expects. */
export function run(program: string, args: string[], options: RunOptions = {}): Promise<Ran> {
  const { input, openInput = false, timeout = 60_000, onSpawn, onOutput, ...rest } = options
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...rest, stdio: ['pipe', 'pipe', 'pipe'] })
    const ran: Ran = { code: -1, stdout: '', stderr: '', output: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        ran[name] += text
        ran.output += text
        onOutput?.(text)
      })
    const limit = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`${describe(program, args)} took longer than ${timeout} ms:\n${ran.output}`))
    }, timeout)
    child.once('error', (error) => {
      clearTimeout(limit)
      reject(error)
    })
    child.once('close', (code) => {
      clearTimeout(limit)
      resolve({ ...ran, code: code ?? -1 })
    })
    // A program that reads no input may be gone before it is written.
    child.stdin.on('error', () => {})
    if (!openInput) child.stdin.end(input)
    else if (input !== undefined) child.stdin.write(input)
    onSpawn?.(child)
  })
}

/** Runs a program that has to work. @throws with its output where it fails */
export async function must(program: string, args: string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, output } = await run(program, args, options)
  if (code !== 0) throw new Error(`${describe(program, args)} ended with ${code}:\n${output}`)
  return stdout
}

const describe = (program: string, args: string[]) => [program, ...args].join(' ').slice(0, 300)
