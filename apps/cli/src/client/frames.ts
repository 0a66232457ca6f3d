/** The frames of `run` and `enter`, as contracts' http-api.ts tells: type, length, payload. @module */
import type { Duplex } from 'node:stream'
import { frameType, unavailable } from '@kernel/contracts'

const header = 5
/** More than the daemon ever sends in one frame; a larger length means that the stream is garbled. */
const largest = 16 << 20

export interface Frame {
  type: number
  payload: Buffer
}

/** Cuts a byte stream into frames, however it arrives. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0)

  /** The frames that are whole by now. */
  push(data: Buffer): Frame[] {
    this.#rest = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data])
    const frames: Frame[] = []
    while (this.#rest.length >= header) {
      const length = this.#rest.readUInt32BE(1)
      if (length > largest) throw unavailable('The stream from the daemon is garbled.')
      if (this.#rest.length < header + length) break
      frames.push({ type: this.#rest[0]!, payload: this.#rest.subarray(header, header + length) })
      this.#rest = this.#rest.subarray(header + length)
    }
    return frames
  }
}

export function encodeFrame(type: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(header)
  head[0] = type
  head.writeUInt32BE(payload.length, 1)
  return Buffer.concat([head, payload])
}

/** Both directions of a remote process. */
export class FrameStream {
  readonly #socket: Duplex

  constructor(socket: Duplex) {
    this.#socket = socket
  }

  /** False where the other side can't take more now: wait for `drained`. */
  input(data: Uint8Array): boolean {
    return this.#socket.write(encodeFrame(frameType.stdin, data))
  }

  drained(): Promise<void> {
    return new Promise((resolve) => this.#socket.once('drain', () => resolve()))
  }

  endInput(): void {
    this.#socket.write(encodeFrame(frameType.stdin, new Uint8Array()))
  }

  resize(rows: number, columns: number): void {
    this.#socket.write(encodeFrame(frameType.resize, Buffer.from(JSON.stringify({ rows, columns }))))
  }

  close(): void {
    this.#socket.destroy()
  }

  /** Hands output on and answers how the process ended. @throws unavailable where the daemon went away */
  async run(
    onOutput: (stream: 1 | 2, data: Buffer) => void | Promise<void>,
  ): Promise<{ exitCode: number; error?: string }> {
    const reader = new FrameReader()
    for await (const data of this.#socket as AsyncIterable<Buffer>)
      for (const { type, payload } of reader.push(data)) {
        if (type === frameType.exit) {
          this.#socket.destroy()
          return JSON.parse(payload.toString('utf8')) as { exitCode: number; error?: string }
        }
        if (type === frameType.stdout) await onOutput(1, payload)
        if (type === frameType.stderr) await onOutput(2, payload)
      }
    throw unavailable('The daemon closed the stream before the command ended.')
  }
}
