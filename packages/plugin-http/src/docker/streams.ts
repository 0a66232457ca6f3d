import type { Duplex } from 'node:stream'
import type { OutputChunk, ProcessStream } from '@kernel/contracts'
import { type DetachKeys, splitAtDetach } from './detach-keys.ts'

/** Writes with back pressure; false where nobody reads any more. */
async function write(connection: Duplex, data: Uint8Array): Promise<boolean> {
  if (connection.destroyed || connection.writableEnded) return false
  if (!connection.write(data)) await drained(connection)
  return !connection.destroyed
}

function drained(connection: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      connection.off('drain', go).off('close', go)
      resolve()
    }
    connection.on('drain', go).on('close', go)
  })
}

export interface PumpOptions {
  /** Bytes of the client go to the process; its end is the end of the process's input. */
  stdin: boolean
  encode(chunk: OutputChunk): Uint8Array
  /** Typed by a person at a terminal, they let go of the process. */
  detachKeys?: DetachKeys
  /** Aborts when the client has gone or the server stops. */
  signal: AbortSignal
}

/**
 * Joins a taken connection and a process until the output ends, the person detaches, or the client goes. The
 * client's end of writing is no good-bye: it half-closes as soon as it has nothing to send.
 */
export async function pump(connection: Duplex, stream: ProcessStream, options: PumpOptions): Promise<void> {
  const { signal, encode } = options
  const detach = () => stream.detach()
  signal.addEventListener('abort', detach, { once: true })
  if (signal.aborted) detach()
  if (options.stdin) void forwardInput(connection, stream, options.detachKeys)
  else connection.resume()
  try {
    for await (const chunk of stream.output) if (!(await write(connection, encode(chunk)))) break
  } finally {
    signal.removeEventListener('abort', detach)
    stream.detach()
  }
}

/** Failures here are those of a process that ended or a client that went; the output's side deals with both. */
async function forwardInput(connection: Duplex, stream: ProcessStream, keys?: DetachKeys): Promise<void> {
  const split = keys && splitAtDetach(keys)
  try {
    for await (const chunk of connection.iterator({ destroyOnReturn: false })) {
      const { before, detached } = split
        ? split(chunk as Buffer)
        : { before: chunk as Buffer, detached: false }
      if (before.byteLength > 0) await stream.write(before)
      if (detached) return stream.detach()
    }
    await stream.closeInput()
  } catch {
    connection.resume()
  }
}

/** Ends a taken connection: what was written arrives, and the client's own end is not waited for. */
export function finish(connection: Duplex): void {
  connection.end(() => connection.destroy())
}
