/** Answers that the edge encodes on the way. RFC 9110 8.4. @module */
import type { Transform } from 'node:stream'
import { type Coding, createEncoder } from '../policy/compress.ts'
import type { Visitor } from './visitor.ts'

export interface EncoderEvents {
  /** The visitor takes no more for now. */
  blocked(): void
  /** The target may go on. */
  resume(): void
  done(): void
  /** The answer can't be ended. */
  failed(error: Error): void
}

/** Between a target's pieces and the visitor. */
export class Encoder {
  readonly #stream: Transform & { flush(callback?: () => void): void }
  readonly #resume: () => void
  #flushing = false

  constructor(coding: Coding, visitor: Visitor, { blocked, resume, done, failed }: EncoderEvents) {
    this.#resume = resume
    const stream = createEncoder(coding)
    this.#stream = stream
    stream.on('data', (chunk: Buffer) => {
      if (!visitor.piece(chunk, 0, chunk.length)) {
        stream.pause()
        blocked()
      }
      visitor.flush()
    })
    stream.on('drain', () => this.#resume())
    stream.on('end', done)
    stream.on('error', failed)
  }

  piece(buf: Buffer, start: number, end: number): boolean {
    return this.#stream.write(buf.subarray(start, end))
  }

  /** What is here leaves now: the next piece may be far. */
  flush(): void {
    if (this.#flushing) return
    this.#flushing = true
    this.#stream.flush(() => {
      this.#flushing = false
    })
  }

  end(): void {
    this.#stream.end()
  }

  /** The visitor takes more. */
  drained(): void {
    this.#stream.resume()
  }

  destroy(): void {
    this.#stream.removeAllListeners('data')
    this.#stream.destroy()
  }
}
