/** Runs `git receive-pack` and `git upload-pack` for a client. @module */
import type { ChildProcess } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { problemOf } from '@kernel/contracts'
import { type Exchange, feed, pump } from '../command/exchange.ts'
import { deployOutput, tellFailure } from './deploy-output.ts'
import { exitOf, type Git } from './git.ts'
import { type QuarantinedPush, readPush } from './hook-channel.ts'

/** A push that a hook has announced, and the two ways to answer. */
export interface PendingPush extends QuarantinedPush {
  /** What is written here is what the pusher reads. */
  output: Duplex
  /** Git takes the objects in and moves the refs. */
  accept(): void
  /** Git throws the objects away. */
  refuse(): void
  /** Resolves when git is done with the push, or was ended before. */
  ended: Promise<void>
  /** False once git has ended, however it did. */
  isAlive(): boolean
}

export interface ServiceOptions {
  git: Git
  service: 'receive-pack' | 'upload-pack'
  repository: string
  /** `--stateless-rpc` and the like. */
  flags?: string[]
  exchange: Exchange
  /** Aborts when the daemon stops. */
  stop: AbortSignal
  /** How long git may go on without its client, in milliseconds, until the push has arrived. */
  detachedMs: number
  /** Answers each push by `accept` or `refuse`; where it throws, the push is refused. */
  onPush?(push: PendingPush): Promise<void>
}

/**
 * Runs the service to its end; answers its exit code. A client that goes away ends a transfer, but not a push
 * that has arrived: its deploy comes to an end and git's refs say what is deployed.
 */
export async function runService(options: ServiceOptions): Promise<number> {
  const { git, service, repository, flags = [], exchange, stop } = options
  const pipes = Array<'pipe'>(options.onPush ? 6 : 3).fill('pipe')
  // A process group of its own: an interrupt at the daemon's terminal is not meant for it.
  const child = git.start([service, ...flags, repository], gitEnvironment(exchange), {
    stdio: pipes,
    detached: true,
  })
  const exit = exitOf(child)
  const ended = exit.then(
    () => {},
    () => {},
  )
  const stopped = Promise.withResolvers<void>()
  const end = () => endGroup(child, ended)
  const onStop = () => {
    stopped.resolve()
    end()
  }
  stop.addEventListener('abort', onStop)
  // A push that has arrived is not cut off for its length: what it deploys has to be what the branch says.
  let arrived = false
  const late = afterGone(exchange.gone, service === 'upload-pack' ? 0 : options.detachedMs, () => {
    if (!arrived) end()
  })
  const onPush =
    options.onPush &&
    ((push: PendingPush) => {
      arrived = true
      return options.onPush!(push)
    })
  try {
    if (stop.aborted) onStop()
    feed(exchange.input, child.stdin!, exchange.gone)
    const [code] = await Promise.all([
      exit,
      pump(child.stdout!, exchange.output, exchange.gone),
      pump(child.stderr!, exchange.error, exchange.gone),
      // A deploy may outlast a git that was killed: then it moves the refs itself. Only a stop does not wait for it.
      onPush &&
        Promise.race([stopped.promise.then(() => ended), answerHook(child, ended, repository, onPush)]),
    ])
    return code
  } finally {
    stop.removeEventListener('abort', onStop)
    late()
  }
}

function gitEnvironment({ env }: Exchange): Record<string, string> {
  const protocol = env.GIT_PROTOCOL
  return protocol !== undefined && /^[\x20-\x7e]{1,256}$/.test(protocol) ? { GIT_PROTOCOL: protocol } : {}
}

async function answerHook(
  child: ChildProcess,
  ended: Promise<void>,
  repository: string,
  onPush: (push: PendingPush) => Promise<void>,
): Promise<void> {
  const [tell, output, answer] = [3, 4, 5].map((fd) => child.stdio[fd] as Duplex) as [Duplex, Duplex, Duplex]
  // They break when git dies, which its exit code tells.
  for (const channel of [tell, output, answer]) channel.on('error', () => {})
  let [answered, alive] = [false, true]
  const reply = (code: number) => {
    if (answered) return
    answered = true
    output.end()
    answer.end(`${code}\n`)
  }
  void ended.then(() => {
    alive = false
    tell.destroy()
  })
  try {
    const push = await readPush(tell, repository)
    const answers = { accept: () => reply(0), refuse: () => reply(1), isAlive: () => alive }
    if (push) await onPush({ ...push, output, ended, ...answers })
  } catch (error) {
    if (!problemOf(error)) throw error
    tellFailure(deployOutput(output), error)
  } finally {
    reply(1)
    for (const channel of [output, answer]) void ended.then(() => channel.destroy())
  }
}

/** Asks the process group to end, which lets git remove its quarantine, and makes it end 5 s later. */
function endGroup(child: ChildProcess, ended: Promise<void>): void {
  const signal = (name: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name)
    } catch {
      // The group has ended.
    }
  }
  signal('SIGTERM')
  const timer = setTimeout(() => signal('SIGKILL'), 5000)
  void ended.then(() => clearTimeout(timer))
}

/** Calls back some time after the client has gone; answers how to forget it. */
function afterGone(gone: AbortSignal, ms: number, callback: () => void): () => void {
  let timer: NodeJS.Timeout | undefined
  const begin = () => {
    timer = setTimeout(callback, ms)
  }
  if (gone.aborted) begin()
  else gone.addEventListener('abort', begin, { once: true })
  return () => {
    gone.removeEventListener('abort', begin)
    clearTimeout(timer)
  }
}
