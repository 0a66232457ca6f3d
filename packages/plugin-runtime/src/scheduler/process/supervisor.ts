/** One workload's process: start, output, end, restart. @module */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { ContainerExit, ProcessStream, WorkloadSpec } from '@kernel/contracts'
import { createOutputQueue, type OutputQueue } from '../../containers/output-queue.ts'
import { nextDelay } from '../../containers/restart-policy.ts'
import { createLogWriter } from './log-writer.ts'

export interface SupervisorOptions {
  argv: string[]
  env: Record<string, string>
  cwd: string
  logFile: string
  restart: WorkloadSpec['restart']
  /** Attached from the first byte; its output is not lost when nobody reads it yet. */
  attached: boolean
  /** Called at each start and end, before anybody who waits is told. */
  onChange(change: { pid: number; startedAt: string } | { exit: ContainerExit; restarting: boolean }): void
  /** Puts a new process under its limits. */
  limit?: (pid: number) => void
}

export interface Supervisor {
  readonly running: boolean
  readonly restartCount: number
  /** The end after the last restart. */
  readonly ended: Promise<ContainerExit>
  /** The next end, whether it is started again or not. */
  readonly nextExit: Promise<ContainerExit>
  /** Only with `attached`. */
  readonly stream: ProcessStream | undefined
  /** Ends it for good: the signal to the whole group, SIGKILL after the time. */
  stop(signal: NodeJS.Signals, timeoutMs: number): Promise<void>
  /** Stops the whole group where it stands, or lets it go on. What has left the group is not reached. */
  setFrozen(frozen: boolean): void
}

/** Resolves once the first process runs. @throws Error where it can't be started */
export async function supervise(options: SupervisorOptions): Promise<Supervisor> {
  const log = createLogWriter(options.logFile)
  const ended = Promise.withResolvers<ContainerExit>()
  let exited = Promise.withResolvers<ContainerExit>()
  const queue = options.attached
    ? createOutputQueue(
        () => child.stdout?.resume(),
        () => {},
      )
    : undefined
  let stopping = false
  let restartCount = 0
  let delay: number | undefined
  let timer: NodeJS.Timeout | undefined
  let begun = 0
  let child = await launch()

  async function launch(): Promise<ChildProcess> {
    begun = performance.now()
    const process = await spawnChild(options)
    process.stdout?.on('data', (data: Buffer) => out(1, data))
    process.stderr?.on('data', (data: Buffer) => out(2, data))
    process.once('close', (code, signal) => onExit(exitCodeOf(code, signal)))
    options.onChange({ pid: process.pid!, startedAt: new Date().toISOString() })
    return process
  }

  function out(stream: 1 | 2, data: Buffer): void {
    log.write(stream, data)
    queue?.push({ stream, data })
    if (queue && queue.waiting > 1 << 20) child.stdout?.pause()
  }

  function onExit(exitCode: number): void {
    const { policy = 'no', maxRetries = 0 } = options.restart ?? {}
    const again =
      !stopping &&
      (policy === 'always' ||
        (policy === 'on-failure' && exitCode !== 0 && (maxRetries === 0 || restartCount < maxRetries)))
    if (!again) {
      finish({ exitCode })
      return
    }
    options.onChange({ exit: { exitCode }, restarting: true })
    exited.resolve({ exitCode })
    exited = Promise.withResolvers<ContainerExit>()
    delay = nextDelay(delay, performance.now() - begun)
    timer = setTimeout(async () => {
      timer = undefined
      restartCount += 1
      try {
        child = await launch()
      } catch (error) {
        finish({ exitCode: 127, error: (error as Error).message })
      }
    }, delay)
  }

  function finish(exit: ContainerExit): void {
    log.close()
    options.onChange({ exit, restarting: false })
    queue?.end()
    exited.resolve(exit)
    ended.resolve(exit)
  }

  return {
    get running() {
      return child.exitCode === null && child.signalCode === null
    },
    get restartCount() {
      return restartCount
    },
    ended: ended.promise,
    get nextExit() {
      return exited.promise
    },
    stream: queue && streamOf(queue, () => child),
    setFrozen: (frozen) => signalGroup(child.pid, frozen ? 'SIGSTOP' : 'SIGCONT'),
    async stop(signal, timeoutMs) {
      stopping = true
      if (timer) {
        clearTimeout(timer)
        timer = undefined
        finish({ exitCode: exitCodeOf(child.exitCode, child.signalCode) })
        return
      }
      signalGroup(child.pid, signal)
      // What stands still gets no signal but SIGKILL.
      signalGroup(child.pid, 'SIGCONT')
      const late = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), timeoutMs)
      await ended.promise
      clearTimeout(late)
    },
  }
}

function spawnChild({
  argv: [program = '', ...args],
  env,
  cwd,
  limit,
  attached,
}: SupervisorOptions): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    // Its own process group, so that a signal reaches what it started as well.
    const child = spawn(program, args, {
      env,
      cwd,
      detached: true,
      stdio: [attached ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    })
    child.once('error', reject)
    child.once('spawn', () => {
      try {
        limit?.(child.pid!)
      } catch {
        // It has ended already.
      }
      child.stdin?.on('error', () => {})
      resolve(child)
    })
  })
}

function streamOf(queue: OutputQueue, child: () => ChildProcess): ProcessStream {
  return {
    output: queue,
    write: (data) =>
      new Promise((resolve) => {
        const { stdin } = child()
        if (!stdin?.writable) return resolve()
        if (stdin.write(data)) resolve()
        else stdin.once('drain', resolve).once('close', resolve)
      }),
    async closeInput() {
      child().stdin?.end()
    },
    detach: () => queue.end(),
  }
}

/** 128 + n for a signal, as a shell counts. */
function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal ? constants.signals[signal] : 0)
}

export function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    if (pid) process.kill(-pid, signal)
  } catch {
    // It is gone.
  }
}
