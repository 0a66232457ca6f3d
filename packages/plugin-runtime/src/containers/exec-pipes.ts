/** An exec without a terminal: three pipes, an exit code, and the OCI runtime's refusals told apart. @module */
import type { Readable, Writable } from 'node:stream'
import type { ContainerExit, ProcessStream } from '@kernel/contracts'
import type { Engine } from './engine.ts'
import { execPid, spawnExec } from './exec-process.ts'
import { cleanMessage, explainStart } from './oci-runtime.ts'
import { createOutputQueue } from './output-queue.ts'
import type { ContainerRecord } from './record.ts'

const HIGH_WATER = 1 << 20
const POLL_MS = 3
/** Longest complaint of the runtime that is kept. */
const MAX_COMPLAINT = 64 << 10

export interface PipedExec {
  stream: ProcessStream
  exit: Promise<ContainerExit>
  /** Once the process runs, or can't: then with the reason. */
  started: Promise<string | undefined>
}

/**
 * The runtime writes its own complaints to the same stderr as the process; until its pid file shows that there
 * is a process, what comes is held back.
 */
export function runPiped(
  engine: Engine,
  record: ContainerRecord,
  dir: string,
  options: { stdin: boolean; stdout: boolean; stderr: boolean; argv0: string; onPid?: (pid: number) => void },
): PipedExec {
  const child = spawnExec(engine, record, dir, { ...options, stderr: true })
  const sources = [child.stdout, child.stderr].filter((pipe): pipe is Readable => pipe !== null)
  let pid: number | undefined
  let held: Buffer[] = []
  let detached = false
  const started = Promise.withResolvers<string | undefined>()

  const balance = () => {
    for (const source of sources) {
      if (!detached && queue.waiting > HIGH_WATER) source.pause()
      else if (source.isPaused()) source.resume()
    }
  }
  const detach = () => {
    detached = true
    queue.end()
    balance()
  }
  const queue = createOutputQueue(balance, detach)

  const checkStarted = () => {
    if (pid !== undefined) return
    pid = execPid(dir)
    if (pid === undefined) return
    clearInterval(poll)
    options.onPid?.(pid)
    started.resolve(undefined)
    const early = held
    held = []
    if (options.stderr) for (const data of early) queue.push({ stream: 2, data })
  }
  const poll = setInterval(checkStarted, POLL_MS)

  child.stdout?.on('data', (data: Buffer) => {
    checkStarted()
    queue.push({ stream: 1, data })
    balance()
  })
  child.stderr?.on('data', (data: Buffer) => {
    checkStarted()
    if (pid === undefined) {
      if (held.length < MAX_COMPLAINT / 1024) held.push(data)
    } else if (options.stderr) {
      queue.push({ stream: 2, data })
      balance()
    }
  })

  const exit = new Promise<ContainerExit>((resolve) => {
    const end = (outcome: ContainerExit) => {
      clearInterval(poll)
      started.resolve(outcome.error)
      resolve(outcome)
      queue.end()
    }
    child.on('error', (error) => end({ exitCode: 126, error: error.message }))
    child.on('close', (code, signal) => {
      checkStarted()
      if (pid !== undefined) return end({ exitCode: code ?? (signal ? 137 : 255) })
      const why = explainStart(cleanMessage(Buffer.concat(held).toString('utf8')), options.argv0)
      const error = execFailure(why.message)
      queue.push({ stream: 1, data: Buffer.from(`${error}\r\n`) })
      end({ exitCode: why.exitCode === 128 ? 126 : why.exitCode, error })
    })
  })

  const stdin: Writable | null = child.stdin
  stdin?.on('error', () => {})
  return {
    exit,
    started: started.promise,
    stream: {
      output: queue,
      write: (data) =>
        new Promise((resolve) => {
          if (!stdin || stdin.destroyed || stdin.writableEnded) return resolve()
          stdin.write(data, () => resolve())
        }),
      closeInput: async () => {
        stdin?.end()
      },
      detach,
    },
  }
}

/** Why an exec did not start, as dockerd says it. */
export function execFailure(why: string): string {
  return `OCI runtime exec failed: exec failed: unable to start container process: ${why}: unknown`
}
