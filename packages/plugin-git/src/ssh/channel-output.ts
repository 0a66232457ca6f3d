/** Writing to an SSH channel. @module */
import { Writable } from 'node:stream'
import type { ServerChannel } from 'ssh2'

/** What ssh2 keeps of a write that waits for the client's window. */
interface WaitingWrites {
  _chunk: unknown
  _chunkcb: unknown
  _chunkErr: unknown
  _chunkcbErr: unknown
}

/**
 * Standard output and error of a channel as ordinary streams: they take one piece after the other, and end their
 * writes where the client has gone. (ssh2's own never answer a write to a closed channel; and they remember a write
 * that had to wait for the window even after it is done, and send it again when the other stream has to wait.)
 */
export function channelOutput(
  channel: ServerChannel,
  gone: AbortSignal,
): { output: Writable; error: Writable } {
  let waiting: (() => void) | undefined
  let turn = Promise.resolve()
  gone.addEventListener('abort', () => waiting?.())
  channel.stderr.on('error', () => {})

  const send = (target: Writable, data: Buffer) =>
    new Promise<void>((resolve) => {
      if (gone.aborted) return resolve()
      waiting = resolve
      target.write(data, () => {
        Object.assign(channel, {
          _chunk: undefined,
          _chunkcb: undefined,
          _chunkErr: undefined,
          _chunkcbErr: undefined,
        } satisfies WaitingWrites)
        resolve()
      })
    })

  const stream = (target: Writable) =>
    new Writable({
      highWaterMark: 256 * 1024,
      write(data: Buffer, _encoding, done) {
        turn = turn.then(() => send(target, data))
        void turn.then(() => done())
      },
    })
  return { output: stream(channel), error: stream(channel.stderr) }
}
