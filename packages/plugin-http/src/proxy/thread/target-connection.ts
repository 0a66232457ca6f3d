/** A connection to a target: one request after the other. @module */
import { connect, type Socket } from 'node:net'
import { BodyReader, chunkHead } from '../http1/body-reader.ts'
import { CHUNKED } from '../http1/framing.ts'
import { HeadLines } from '../http1/head-lines.ts'
import { type ResponseHead, readResponseHead } from '../http1/response-head.ts'

/**
 * Why an attempt has failed. `unreachable`: the target has seen nothing of the request; `cut`: it may have, and has
 * answered nothing; `broken`: it has begun an answer and not ended it.
 */
export type Failure = 'unreachable' | 'cut' | 'broken'

/** Who has a request answered over the connection; called in the order of an answer. */
export interface Asker {
  /** An answer before the answer: 1xx, but for 101. */
  onInterim(head: ResponseHead): void
  onHead(head: ResponseHead): void
  /** False: no more until `resume`. */
  onPiece(buf: Buffer, start: number, end: number): boolean
  /** The connection is another request's from now on. */
  onEnd(trailers: string): void
  /** Both sides have agreed to another protocol: the socket is the asker's now. `rest` came behind the head. */
  onUpgrade(head: ResponseHead, socket: Socket, rest: Buffer): void
  /** What arrived in one go was told. */
  onPause(): void
  /** More of the request's body can be taken. */
  onDrain(): void
  onFailure(failure: Failure, error: Error): void
}

/** It was the edge that could not go on. */
export class InsideError extends Error {}

export interface Question {
  /** With the empty line. */
  head: string
  /** Whether the answer has no body whatever its head says. */
  bodyless: boolean
  /** A body follows by `write` and `end`: with a length, or in chunks. */
  body: 'none' | 'length' | 'chunks'
}

const MAX_HEAD_BYTES = 64 << 10
const MAX_FIELDS = 256
/** Answers before the answer: they go out whether or not the visitor reads, so there can't be any number of them. */
const MAX_INTERIM = 16
/** Pieces up to here are copied beside their framing, larger ones are written by themselves. */
const SMALL = 4096
const NOTHING = Buffer.alloc(0)

export class TargetConnection {
  readonly origin: string
  /** No further request may use it. */
  retired = false
  /** When it became idle, by `performance.now()`. */
  idleSince = 0
  /** By the target's own word, when an idle connection is closed. */
  idleLimitMs = Number.POSITIVE_INFINITY
  readonly #socket: Socket
  readonly #release: (connection: TargetConnection, reusable: boolean) => void
  readonly #lines = new HeadLines(MAX_HEAD_BYTES, MAX_FIELDS)
  readonly #body = new BodyReader()
  #asker: Asker | undefined
  #question: Question | undefined
  #bodyless = false
  #chunks = false
  /** The request is out to its last byte. */
  #sent = true
  #head: ResponseHead | undefined
  #begun = false
  #interim = 0
  #connected = false
  #tunnel = false
  #pending: Buffer = NOTHING

  /** @param release called when the connection has no asker any more: once for each request */
  constructor(
    origin: string,
    { host, port }: { host: string; port: number },
    release: (connection: TargetConnection, reusable: boolean) => void,
  ) {
    this.origin = origin
    this.#release = release
    // Half-open, since either side of a tunnel may end first.
    this.#socket = connect({ host, port, noDelay: true, keepAlive: true, allowHalfOpen: true })
    this.#socket.on('connect', this.#onConnect)
    this.#socket.on('data', this.#onData)
    this.#socket.on('drain', this.#onDrain)
    this.#socket.on('end', this.#onEnd)
    this.#socket.on('error', this.#onError)
    this.#socket.on('close', this.#onClose)
  }

  /** Sends the head as soon as there is a connection; then `onDrain` asks for the body. */
  ask(asker: Asker, question: Question): void {
    this.#asker = asker
    this.#question = question
    this.#begun = false
    this.#interim = 0
    this.#head = undefined
    if (this.#connected) this.#send()
  }

  #send(): void {
    const { head, bodyless, body } = this.#question!
    this.#bodyless = bodyless
    this.#chunks = body === 'chunks'
    this.#sent = body === 'none'
    this.#lines.reset(0)
    this.#socket.write(head, 'latin1')
    if (!this.#sent) this.#asker!.onDrain()
  }

  /** A piece of the request's body. False: no more until `onDrain`. */
  write(buf: Buffer, start: number, end: number): boolean {
    const size = end - start
    const piece = buf.subarray(start, end)
    if (!this.#chunks) return this.#socket.write(piece)
    if (size <= SMALL)
      return this.#socket.write(`${chunkHead(size)}${buf.toString('latin1', start, end)}\r\n`, 'latin1')
    this.#socket.cork()
    this.#socket.write(chunkHead(size), 'latin1')
    this.#socket.write(piece)
    const more = this.#socket.write('\r\n', 'latin1')
    this.#socket.uncork()
    return more
  }

  /** The request's body is whole. */
  end(trailers: string): void {
    this.#sent = true
    if (this.#chunks) this.#socket.write(`0\r\n${trailers}\r\n`, 'latin1')
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Whether the request has left, so that the target may act on it. */
  get asked(): boolean {
    return this.#connected
  }

  /** Ends the connection; the asker hears no more. */
  destroy(): void {
    this.#let(false)
    this.#socket.destroy()
  }

  #onConnect = (): void => {
    this.#connected = true
    this.#guard(() => {
      if (this.#asker) this.#send()
    })
  }

  #onDrain = (): void => {
    this.#guard(() => {
      if (!this.#sent) this.#asker?.onDrain()
    })
  }

  #onData = (chunk: Buffer): void => {
    this.#guard(() => this.#read(chunk))
  }

  /** One exchange must never end the thread, and with it all others. */
  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#fail(new InsideError((error as Error).message, { cause: error }))
    }
  }

  #read(chunk: Buffer): void {
    // Nobody asked: what an idle connection says belongs to no request.
    if (!this.#asker) return void this.destroy()
    this.#begun = true
    let buf = chunk
    if (this.#pending.length > 0) {
      buf = Buffer.concat([this.#pending, chunk])
      this.#pending = NOTHING
    }
    let at = 0
    let head = this.#head
    while (head === undefined) {
      const progress = this.#lines.scan(buf)
      if (progress === 'more') {
        this.#pending = buf
        return
      }
      if (progress !== 'done') {
        this.#fail(new Error(`its answer's head is malformed (${progress})`))
        return
      }
      const read = readResponseHead(buf, this.#lines, this.#bodyless)
      if (!read) {
        this.#fail(new Error('its answer is not HTTP'))
        return
      }
      at = this.#lines.end
      if (read.status === 101) {
        this.#upgrade(read, buf.subarray(at))
        return
      }
      if (read.status < 200) {
        if (++this.#interim > MAX_INTERIM) {
          this.#fail(new Error('it announces its answer without end'))
          return
        }
        this.#asker.onInterim(read)
        if (!this.#asker) return
        // Not to be kept while the rest is awaited.
        buf = buf.subarray(at)
        at = 0
        this.#lines.reset(0)
        continue
      }
      head = this.#head = read
      this.#body.begin(read.length)
      this.#asker.onHead(read)
      if (!this.#asker) return
    }
    this.#pass(buf, at)
  }

  #pass(buf: Buffer, start: number): void {
    const body = this.#body
    let at = start
    let more = true
    while (!body.done && at < buf.length) {
      at = body.next(buf, at)
      if (body.failed) {
        this.#fail(new Error('the chunks of its answer are malformed'))
        return
      }
      if (body.pieceEnd > body.pieceStart) {
        more = this.#asker!.onPiece(buf, body.pieceStart, body.pieceEnd)
        if (!this.#asker) return
      }
    }
    if (body.done) {
      this.#finish(at === buf.length)
      return
    }
    if (!more) this.pause()
    this.#asker!.onPause()
  }

  #finish(clean: boolean): void {
    const asker = this.#asker!
    const { keepAlive, keepAliveSec } = this.#head!
    if (keepAliveSec !== undefined) this.idleLimitMs = keepAliveSec * 1000 - 500
    const reusable = clean && keepAlive && this.#sent && !this.retired && !this.#socket.destroyed
    this.#let(reusable)
    if (reusable) this.#socket.resume()
    else this.#socket.destroy()
    asker.onEnd(this.#body.trailers)
  }

  #upgrade(head: ResponseHead, rest: Buffer): void {
    const asker = this.#asker!
    this.#asker = undefined
    this.#tunnel = true
    this.#socket.removeAllListeners()
    this.#release(this, false)
    asker.onUpgrade(head, this.#socket, rest)
  }

  #onEnd = (): void => {
    if (this.#asker && this.#head && this.#body.untilClose) {
      this.#body.done = true
      this.#finish(false)
    } else this.#fail(new Error('it closed the connection'))
  }

  #onError = (error: Error): void => {
    this.#fail(error)
  }

  #onClose = (): void => {
    if (!this.#tunnel) this.#fail(new Error('it closed the connection'))
  }

  #fail(error: Error): void {
    const asker = this.#asker
    const failure = !this.#connected ? 'unreachable' : this.#begun ? 'broken' : 'cut'
    this.#let(false)
    this.#socket.destroy()
    asker?.onFailure(failure, error)
  }

  #let(reusable: boolean): void {
    const had = this.#asker !== undefined
    this.#asker = undefined
    this.#question = undefined
    this.#head = undefined
    this.#pending = NOTHING
    if (had || !reusable) this.#release(this, reusable)
  }
}

/** The framing of a request's body, by the length its head tells. */
export function bodyKind(length: number): Question['body'] {
  return length === CHUNKED ? 'chunks' : length > 0 ? 'length' : 'none'
}
