/** Frames of a hijacked stream, as contracts' http-api.ts tells: type, length, payload. @module */
import type { Duplex } from 'node:stream'
import { PassThrough, Writable } from 'node:stream'
import { frameType, invalid } from '@kernel/contracts'

const header = 5
const largest = 1024 * 1024

export function encodeFrame(type: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(header)
  head[0] = type
  head.writeUInt32BE(payload.length, 1)
  return Buffer.concat([head, payload])
}

/** The client's end of a stream of frames, as ordinary streams. */
export interface FramedClient {
  input: PassThrough
  output: Writable
  error: Writable
  /** Aborts when the connection has gone. */
  gone: AbortSignal
  onResize(handler: (rows: number, columns: number) => void): void
  /** The last frame; the connection ends behind it. */
  exit(exitCode: number): void
}

export function framedClient(connection: Duplex): FramedClient {
  const gone = new AbortController()
  const input = new PassThrough()
  let resized: ((rows: number, columns: number) => void) | undefined
  let rest: Buffer = Buffer.alloc(0)

  connection.once('close', () => gone.abort())
  connection.on('error', () => gone.abort())
  connection.on('end', () => input.end())
  connection.on('data', (data: Buffer) => {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data])
    while (rest.length >= header) {
      const length = rest.readUInt32BE(1)
      if (length > largest) return connection.destroy(invalid('A frame is too large.'))
      if (rest.length < header + length) break
      const [type, payload] = [rest[0], rest.subarray(header, header + length)]
      rest = rest.subarray(header + length)
      if (type === frameType.resize) resize(payload)
      if (type !== frameType.stdin || input.writableEnded) continue
      if (length === 0) input.end()
      else if (!input.write(payload)) {
        connection.pause()
        input.once('drain', () => connection.resume())
      }
    }
  })

  function resize(payload: Buffer): void {
    const [, rows, columns] =
      /^\{"rows":(\d{1,5}),"columns":(\d{1,5})\}$/.exec(payload.toString('latin1')) ?? []
    if (rows && columns) resized?.(Number(rows), Number(columns))
  }

  const stream = (type: number) =>
    new Writable({
      write(data: Buffer, _encoding, done) {
        if (gone.signal.aborted) done()
        else connection.write(encodeFrame(type, data), () => done())
      },
    })

  return {
    input,
    output: stream(frameType.stdout),
    error: stream(frameType.stderr),
    gone: gone.signal,
    onResize(handler) {
      resized = handler
    },
    exit(exitCode) {
      connection.end(encodeFrame(frameType.exit, Buffer.from(JSON.stringify({ exitCode }))))
    },
  }
}
