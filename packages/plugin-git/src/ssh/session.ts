/** One session of an SSH connection: what the client asks for before its command, and the command. @module */
import type { Logger } from '@kernel/kernel'
import type { ServerChannel, Session } from 'ssh2'
import type { Exchange } from '../command/exchange.ts'
import { channelOutput } from './channel-output.ts'

export interface SessionHandlers {
  /** Runs a command line to its end; answers its exit code. */
  exec(line: string, exchange: Exchange): Promise<number>
  /** What a client reads that asks for a shell. */
  greeting(user: string): string
  log: Logger
}

/** What may come from a client's environment. */
const accepted = /^(GIT_PROTOCOL|LANG|TERM)$/
const signals = /^(INT|TERM|HUP|QUIT|USR1|USR2)$/
const largestSize = 10_000

/**
 * Serves one session of a connection, which `disconnected` tells the end of. Only `exec` and, with a friendly text, `shell` are answered; requests that nobody listens to
 * (subsystems, agent, X11) ssh2 refuses.
 */
export function serveSession(
  session: Session,
  user: string,
  disconnected: AbortSignal,
  { exec, greeting, log }: SessionHandlers,
): void {
  const env: Record<string, string> = {}
  let size: { rows: number; columns: number } | undefined
  let onResize: ((rows: number, columns: number) => void) | undefined
  let onSignal: ((signal: NodeJS.Signals) => void) | undefined
  const clamp = (n: number) => Math.min(Math.max(Math.trunc(n) || 0, 1), largestSize)

  session.on('env', (accept, reject, { key, val }: { key: string; val: string }) => {
    if (!accepted.test(key) || !/^[\x20-\x7e]{0,256}$/.test(val)) return reject?.()
    env[key] = val
    accept?.()
  })
  session.on('pty', (accept, _reject, { rows, cols, term }) => {
    size = { rows: clamp(rows || 24), columns: clamp(cols || 80) }
    if (typeof term === 'string' && /^[\w.+-]{1,64}$/.test(term)) env.TERM = term
    accept?.()
  })
  session.on('window-change', (accept, _reject, { rows, cols }) => {
    if (size) {
      size = { rows: clamp(rows), columns: clamp(cols) }
      onResize?.(size.rows, size.columns)
    }
    accept?.()
  })
  session.on('signal', (accept, _reject, { name }) => {
    if (signals.test(name)) onSignal?.(`SIG${name}` as NodeJS.Signals)
    accept?.()
  })

  function begin(channel: ServerChannel): Exchange {
    // Not the channel's own close: that comes only when all of its input has been read.
    const closed = new AbortController()
    session.once('close', () => closed.abort())
    channel.once('error', () => closed.abort())
    const gone = AbortSignal.any([closed.signal, disconnected])
    const { output, error } = channelOutput(channel, gone)
    return {
      user,
      input: channel,
      output,
      error,
      gone,
      env,
      ...(size && {
        terminal: {
          get rows() {
            return size!.rows
          },
          get columns() {
            return size!.columns
          },
          onResize(handler) {
            onResize = handler
          },
        },
      }),
      onSignal(handler) {
        onSignal = handler
      },
    }
  }

  async function finish(channel: ServerChannel, { output, error, gone }: Exchange, code: number) {
    await Promise.all([output, error].map((stream) => new Promise<void>((resolve) => stream.end(resolve))))
    if (gone.aborted) return
    channel.exit(code)
    channel.end()
  }

  session.on('exec', (accept, _reject, { command }) => {
    const channel = accept()
    if (!channel) return
    const exchange = begin(channel)
    exec(command, exchange)
      .catch((error: unknown) => {
        log.error('An SSH command failed', { error })
        return 1
      })
      .then((code) => finish(channel, exchange, code))
  })
  session.on('shell', (accept) => {
    const channel = accept()
    if (!channel) return
    const exchange = begin(channel)
    channel.resume()
    exchange.output.write(size ? greeting(user).replaceAll('\n', '\r\n') : greeting(user))
    void finish(channel, exchange, 0)
  })
}
