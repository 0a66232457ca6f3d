/** One exchange with a client, whichever door it came through. @module */
import type { Readable, Writable } from 'node:stream'

/** The terminal that a client asked for. */
export interface Terminal {
  readonly rows: number
  readonly columns: number
  /** Calls back at each change of size. */
  onResize(handler: (rows: number, columns: number) => void): void
}

export interface Exchange {
  /** Name of the key or token. */
  user: string
  input: Readable
  output: Writable
  error: Writable
  /** Aborts when the client has gone: nobody reads output or error any more. */
  gone: AbortSignal
  /** GIT_PROTOCOL, LANG, TERM as the client sent them. */
  env: Record<string, string>
  terminal?: Terminal
  /** Hears the signals that a client sends to its command. */
  onSignal?(handler: (signal: NodeJS.Signals) => void): void
}

/**
 * Copies all of `source`. Once the reader of `sink` has gone, the rest is read and thrown away, so that whoever
 * writes it can come to its end.
 */
export async function pump(source: Readable, sink: Writable, gone: AbortSignal): Promise<void> {
  for await (const chunk of source as AsyncIterable<Buffer>)
    if (!gone.aborted && sink.writable && !sink.write(chunk)) await drained(sink, gone)
}

function drained(sink: Writable, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of ['drain', 'close', 'error']) sink.off(event, done)
      gone.removeEventListener('abort', done)
      resolve()
    }
    for (const event of ['drain', 'close', 'error']) sink.on(event, done)
    gone.addEventListener('abort', done)
    if (gone.aborted || !sink.writableNeedDrain) done()
  })
}

/** Feeds a child's input; where the client goes away in the middle, the child sees the end. */
export function feed(input: Readable, sink: Writable, gone: AbortSignal): void {
  sink.on('error', () => input.resume()) // the child has ended or closed its input: the rest is of no use
  const end = () => sink.end()
  gone.addEventListener('abort', end)
  input.once('error', end)
  input.pipe(sink)
}
