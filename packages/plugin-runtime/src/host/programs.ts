import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

/** What a program did; `code` is -1 where it did not start or was stopped. */
export interface ProgramResult {
  code: number
  stdout: string
  stderr: string
}

/** A login shell of root has the sbin folders on its PATH, a service or `su` often has not. */
const ALWAYS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Path of a program, or undefined where this machine has none of that name. */
export function findProgram(name: string): string | undefined {
  for (const dir of new Set([...(process.env.PATH ?? '').split(':'), ...ALWAYS])) {
    if (!path.isAbsolute(dir)) continue
    const file = path.join(dir, name)
    try {
      fs.accessSync(file, fs.constants.X_OK)
      if (fs.statSync(file).isFile()) return file
    } catch {
      // not here
    }
  }
  return undefined
}

/** Runs a program to its end. Never throws: what went wrong stands in the result. */
export function runProgram(
  file: string,
  args: string[],
  options: { input?: string; timeoutMs?: number; cwd?: string } = {},
): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      args,
      { timeout: options.timeoutMs ?? 5000, killSignal: 'SIGKILL', maxBuffer: 1 << 20, cwd: options.cwd },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        const why = error && code === -1 ? `${stderr}${error.message}` : stderr
        resolve({ code, stdout, stderr: why })
      },
    )
    child.stdin?.on('error', () => {}) // it may end before it has read everything
    child.stdin?.end(options.input ?? '')
  })
}

/** The first number such as `1.8.1` in the output of `program --version`. */
export async function programVersion(file: string): Promise<string> {
  const { stdout, stderr } = await runProgram(file, ['--version'])
  return /\d+(\.\d+)+[^\s,]*/.exec(`${stdout}\n${stderr}`)?.[0] ?? 'unknown'
}
