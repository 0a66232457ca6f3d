/** A request's body on its way to a target. @module */
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

/**
 * Reads a visitor's body only when a target asks for it. As long as nothing was asked, another upload of the same
 * request can take its place: that is what makes another try with another target possible. The request itself
 * survives the end of the upload, so that an answer that comes early still finds a connection.
 */
export class Upload extends Readable {
  readonly #req: IncomingMessage
  readonly #onFirstRead: () => void
  #begun = false
  #waiting = false

  /** @param onFirstRead called before the first byte is read: the visitor may wait for a 100 Continue */
  constructor(req: IncomingMessage, onFirstRead: () => void) {
    super()
    this.#req = req
    this.#onFirstRead = onFirstRead
    // Whoever reads hears of it as well; but nobody may be reading yet.
    this.on('error', () => {})
  }

  /** Whether a part of the body may have been taken. */
  get begun(): boolean {
    return this.#begun
  }

  /** Whether the target would take more, and the visitor has not sent it. */
  get starved(): boolean {
    return this.#waiting && !this.readableEnded
  }

  override _read(): void {
    this.#waiting = true
    if (!this.#begun) {
      this.#begun = true
      this.#onFirstRead()
      this.#req.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose)
    } else this.#req.resume()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#req.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose)
    // What is left of the body is read and forgotten, so that its sender gets to see the answer.
    if (this.#begun) this.#req.resume()
    callback(error)
  }

  #onData = (chunk: Buffer): void => {
    this.#waiting = false
    if (!this.push(chunk)) this.#req.pause()
    else this.#waiting = true
  }

  #onEnd = (): void => {
    this.#waiting = false
    this.push(null)
  }

  #onClose = (): void => {
    if (!this.#req.complete) this.destroy(new Error('the visitor left before the end of the body'))
  }
}
