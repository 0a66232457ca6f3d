/** One attempt to have a target answer a request. @module */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Dispatcher, Pool } from 'undici'
import { answerHeaders } from './request-head.ts'
import type { Upload } from './upload.ts'

/**
 * Why an attempt has failed before the visitor saw any of its answer. `unreachable` and `closed`: the target has
 * seen nothing of the request; `cut`: it may have, and has answered nothing; `broken`: it has begun an answer.
 */
export type Failure = 'unreachable' | 'closed' | 'cut' | 'broken' | 'slow' | 'visitor-slow' | 'bad-request'

export interface ExchangeOptions {
  res: ServerResponse
  upload: Upload | null
  /** For progress: a piece of the body taken, the first byte of the answer, a piece of the answer taken. */
  timeoutMs: number
  /** The answer's head is here and about to be sent. */
  onHead(): void
  /** Both sides have agreed to another protocol: the socket is the caller's now. */
  onUpgrade(status: number, headers: string[], protocol: string | undefined, socket: Duplex): void
  /** Nothing has been sent to the visitor. */
  onFailure(failure: Failure, error: Error): void
  /** The target has no more to do with this request; comes first and once, but not after an upgrade. */
  onOver(): void
}

export class Exchange implements Dispatcher.DispatchHandler {
  readonly #options: ExchangeOptions
  #timer: NodeJS.Timeout
  #controller: Dispatcher.DispatchController | undefined
  #expired: 'slow' | 'visitor-slow' | undefined
  #answering = false
  #headSent = false
  #bodySent = false
  #over = false

  constructor(options: ExchangeOptions) {
    this.#options = options
    this.#timer = setTimeout(() => this.#expire(), options.timeoutMs)
  }

  start(pool: Pool, request: Dispatcher.DispatchOptions): void {
    pool.dispatch(request, this)
  }

  /** The visitor has left: the target need not go on. */
  abandon(): void {
    if (this.#over) return
    this.#end()
    this.#controller?.abort(new Error('the visitor left'))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#over) controller.abort(new Error('the visitor left'))
  }

  onBodySent(): void {
    if (!this.#headSent) this.#timer.refresh()
  }

  onRequestSent(): void {
    if (!this.#headSent) this.#timer.refresh()
  }

  onResponseStarted(): void {
    this.#answering = true
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    parsed: IncomingHttpHeaders,
    message?: string,
  ): void {
    if (this.#over) return
    const { res, onHead } = this.#options
    if (status < 200) {
      passHints(res, status, parsed)
      return
    }
    onHead()
    res.writeHead(status, message, answerHeaders(controller.rawHeaders as Buffer[], parsed.connection))
    clearTimeout(this.#timer)
    this.#headSent = true
    // The body's first piece mostly comes in the same turn and takes the head along; a silent one must not keep it.
    process.nextTick(() => {
      if (!this.#bodySent) res.flushHeaders()
    })
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return
    this.#bodySent = true
    const { res } = this.#options
    if (res.write(chunk)) return
    controller.pause()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#expire(), this.#options.timeoutMs)
    res.once('drain', () => {
      clearTimeout(this.#timer)
      controller.resume()
    })
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    if (this.#over) return
    this.#bodySent = true
    const { res } = this.#options
    const trailers = controller.rawTrailers as Buffer[] | undefined
    if (trailers?.length) res.addTrailers(pairs(answerHeaders(trailers, undefined)))
    this.#end()
    res.end()
  }

  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    status: number,
    parsed: IncomingHttpHeaders,
    socket: Duplex,
  ): void {
    clearTimeout(this.#timer)
    if (this.#over) {
      socket.destroy()
      return
    }
    this.#over = true
    const headers = answerHeaders(controller.rawHeaders as Buffer[], parsed.connection)
    this.#options.onUpgrade(status, headers, parsed.upgrade, socket)
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#over) return
    this.#end()
    const { res, onFailure } = this.#options
    // Too late for another answer: a connection that is cut tells the visitor that this one is not whole.
    if (this.#headSent) res.destroy()
    else onFailure(this.#failureOf(error), error)
  }

  #failureOf(error: Error & { code?: string }): Failure {
    if (this.#expired) return this.#expired
    if (error.code === 'UND_ERR_INVALID_ARG' || error.code === 'UND_ERR_NOT_SUPPORTED') return 'bad-request'
    if (!this.#controller)
      return error.code === 'UND_ERR_CLOSED' || error.code === 'UND_ERR_DESTROYED' ? 'closed' : 'unreachable'
    return this.#answering ? 'broken' : 'cut'
  }

  #expire(): void {
    this.#expired = this.#options.upload?.starved ? 'visitor-slow' : 'slow'
    const error = new Error('timeout')
    if (this.#controller) this.#controller.abort(error)
    else this.onResponseError(null, error)
  }

  #end(): void {
    this.#over = true
    clearTimeout(this.#timer)
    this.#options.onOver()
  }
}

/** Early hints go on at once; other interim answers mean something between edge and target only. RFC 8297. */
function passHints(res: ServerResponse, status: number, headers: IncomingHttpHeaders): void {
  if (status !== 103 || headers.link === undefined || res.req.httpVersionMinor === 0) return
  try {
    res.writeEarlyHints({ link: headers.link })
  } catch {
    // A link that Node finds malformed is only a hint lost.
  }
}

function pairs(flat: readonly string[]): Array<[string, string]> {
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]!] as [string, string]] : []))
}
