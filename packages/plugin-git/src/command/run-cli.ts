/** Runs a command of `kernel` for a client, in a process of its own. @module */
import { spawn } from 'node:child_process'
import type { Writable } from 'node:stream'
import { exitOf } from '../git/git.ts'
import { type Exchange, feed, pump } from './exchange.ts'
import { cookedInput, withCarriageReturns } from './line-discipline.ts'

export interface CliOptions {
  /** Program and first arguments. */
  cli: string[]
  /** The daemon's API, as KERNEL_HOST. */
  host?: string
  /** Aborts when the daemon stops. */
  stop: AbortSignal
}

/** Commands whose terminal is at the other end, in the app: bytes pass as they are. */
const rawCommands = new Set(['run', 'enter'])

/** How long a command may take to end after its client has gone. */
const graceMs = 5000

/**
 * Runs the command to its end; answers its exit code. It is told its client's terminal by KERNEL_SSH_TTY
 * (`rows,columns`) and later sizes as JSON lines on descriptor 3, and ends when the client goes away.
 */
export async function runCli(argv: string[], exchange: Exchange, options: CliOptions): Promise<number> {
  const [program, ...first] = options.cli as [string, ...string[]]
  const { terminal, gone } = exchange
  const child = spawn(program, [...first, ...argv], {
    env: environment(exchange, options.host),
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    detached: true,
  })
  const exit = exitOf(child)
  let running = true
  const signal = (name: NodeJS.Signals) => {
    if (running && child.pid !== undefined) process.kill(child.pid, name)
  }
  let kill: NodeJS.Timeout | undefined
  const end = () => {
    signal('SIGTERM')
    kill ??= setTimeout(() => signal('SIGKILL'), graceMs)
  }
  child.once('exit', () => {
    running = false
    sizes.end()
  })
  exchange.onSignal?.(signal)
  for (const source of [gone, options.stop]) source.addEventListener('abort', end)
  if (gone.aborted || options.stop.aborted) end()

  const sizes = child.stdio[3] as Writable
  sizes.on('error', () => {})
  terminal?.onResize((rows, columns) => {
    if (sizes.writable) sizes.write(`${JSON.stringify({ rows, columns })}\n`)
  })
  const cooked = terminal !== undefined && !rawCommands.has(argv[0] ?? '')
  const input = cooked ? cookedInput(exchange.input, exchange.error, () => signal('SIGINT')) : exchange.input
  feed(input, child.stdin, gone)
  try {
    const [code] = await Promise.all([
      exit,
      pump(cooked ? withCarriageReturns(child.stdout) : child.stdout, exchange.output, gone),
      pump(terminal ? withCarriageReturns(child.stderr) : child.stderr, exchange.error, gone),
    ])
    return code
  } finally {
    clearTimeout(kill)
    for (const source of [gone, options.stop]) source.removeEventListener('abort', end)
  }
}

/** Nothing of the daemon's own environment but the path. */
function environment({ user, env, terminal }: Exchange, host: string | undefined): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    ...(env.LANG !== undefined && { LANG: env.LANG }),
    ...(env.TERM !== undefined && { TERM: env.TERM }),
    ...(host !== undefined && { KERNEL_HOST: host }),
    KERNEL_OVER_SSH: '1',
    KERNEL_USER: user,
    ...(terminal && { KERNEL_SSH_TTY: `${terminal.rows},${terminal.columns}` }),
  }
}
