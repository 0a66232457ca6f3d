/** A visitor's connection that speaks HTTP/1.x: one request after the other. RFC 9112 9. @module */
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { BodyReader, chunkHead } from '../http1/body-reader.ts'
import { CHUNKED, UNTIL_CLOSE } from '../http1/framing.ts'
import { HeadLines } from '../http1/head-lines.ts'
import { type RequestHead, readRequestHead } from '../http1/request-head.ts'
import type { Timed } from './clock.ts'
import type { Reason } from './pages.ts'
import type { Peer } from './peer.ts'
import type { Site } from './site.ts'
import { Visit } from './visit.ts'
import type { Answer, Visitor } from './visitor.ts'

/** Bytes that may wait behind a request that is being answered, or for a target to take them. */
const MAX_PENDING = 64 << 10
/** Pieces up to here are copied beside their framing, larger ones are written by themselves. */
const SMALL = 4096
const MAX_TEXT = 32 << 10
/** Time for the rest of a body that nobody reads, so that its sender gets to see the answer. */
const LINGER_MS = 10_000
const NOTHING = Buffer.alloc(0)

export class H1Visitor implements Visitor, Timed {
  readonly peer: Peer
  readonly #site: Site
  readonly #socket: Socket
  readonly #onGone: (visitor: H1Visitor) => void
  readonly #lines: HeadLines
  readonly #body = new BodyReader()
  #pending: Buffer = NOTHING
  #paused = false
  #visit: Visit | undefined
  #head: RequestHead | undefined
  /** The visit takes the body. */
  #reading = false
  #advancing = false
  /** By `performance.now()`: for the next head, or the end of lingering. */
  #deadline: number
  /** Between two requests, as long as nothing of the next has come. */
  #idle = false
  /** What goes out next: a head, small pieces. */
  #text = ''
  #chunks = false
  #last = false
  #lingering = false
  /** The visitor sends no more. */
  #ended = false

  constructor(site: Site, socket: Socket, peer: Peer, onGone: (visitor: H1Visitor) => void) {
    this.#site = site
    this.#socket = socket
    this.peer = peer
    this.#onGone = onGone
    this.#lines = new HeadLines(site.settings.maxHeaderBytes, site.settings.maxHeaders)
    this.#lines.reset(0)
    this.#deadline = performance.now() + site.settings.headersTimeoutMs
    socket.on('data', this.#onData)
    socket.on('drain', this.#onDrain)
    socket.on('end', this.#onEnd)
    socket.on('error', this.#onError)
    socket.on('close', this.#onClose)
    site.clock.add(this)
  }

  /** Closes the connection unless it has a request. */
  closeIfIdle(): void {
    if (!this.#visit && !this.#lingering) this.#socket.destroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  tick(now: number): void {
    if (this.#visit) this.#visit.tick(now)
    else if (this.#deadline !== 0 && now > this.#deadline) {
      if (this.#lingering || this.#pending.length === 0) this.#socket.destroy()
      else this.#refuse('visitor-slow')
    }
  }

  // --- in ------------------------------------------------------------------------------------------------------

  #onData = (chunk: Buffer): void => {
    if (this.#lingering) return
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    this.#advance()
  }

  #onEnd = (): void => {
    this.#ended = true
    if (this.#lingering) this.#socket.destroy()
    else if (!this.#visit) this.#socket.destroySoon()
    // Who asks for a tunnel may end one side of it early. Others who end have left, as they do for nginx.
    else if (this.#head?.upgrade === undefined) this.#socket.destroy()
  }

  #onError = (): void => {
    this.#socket.destroy()
  }

  #onClose = (): void => {
    this.#site.clock.remove(this)
    this.#onGone(this)
    const visit = this.#visit
    this.#visit = undefined
    visit?.left()
  }

  #onDrain = (): void => {
    this.#visit?.drained()
  }

  /** Goes as far as the bytes that are here allow. */
  #advance(): void {
    if (this.#advancing) return
    this.#advancing = true
    try {
      while (this.#step());
    } catch (error) {
      // One request must never end the thread, and with it all others.
      this.#site.warn('A request failed inside the edge', { error: (error as Error).stack ?? String(error) })
      this.#socket.destroy()
    }
    this.#advancing = false
  }

  /** Whether there may be another step. */
  #step(): boolean {
    if (this.#socket.destroyed || this.#lingering) return false
    if (!this.#visit) return this.#readHead()
    if (this.#body.done || !this.#reading) {
      if (this.#pending.length > MAX_PENDING) this.#pause()
      return false
    }
    return this.#passBody()
  }

  #readHead(): boolean {
    const buf = this.#pending
    if (buf.length === 0) return false
    const progress = this.#lines.scan(buf)
    if (progress === 'more') {
      // From its first byte on, not from the answer before it.
      if (this.#idle) this.#deadline = performance.now() + this.#site.settings.headersTimeoutMs
      this.#idle = false
      return false
    }
    if (progress !== 'done') return this.#refuse(progress === 'bad' ? 'bad-request' : 'too-large')
    const head = readRequestHead(buf, this.#lines, this.peer.trusted)
    if (typeof head === 'number')
      return this.#refuse(head === 400 ? 'bad-request' : head === 417 ? 'expectation' : 'coding')
    const { end } = this.#lines
    this.#pending = end === buf.length ? NOTHING : buf.subarray(end)
    this.#body.begin(head.length)
    this.#reading = false
    this.#deadline = 0
    this.#head = head
    this.#visit = new Visit(this.#site, this, head)
    this.#visit.begin()
    return true
  }

  #passBody(): boolean {
    const buf = this.#pending
    const body = this.#body
    const visit = this.#visit!
    let at = 0
    let more = true
    while (more && !body.done && at < buf.length) {
      at = body.next(buf, at)
      if (body.failed) {
        this.#pending = NOTHING
        visit.bodyFailed()
        return false
      }
      if (body.pieceEnd > body.pieceStart) more = visit.body(buf, body.pieceStart, body.pieceEnd)
    }
    this.#pending = at === buf.length ? NOTHING : buf.subarray(at)
    if (body.done) visit.bodyEnd(body.trailers)
    else if (!more) {
      this.#reading = false
      this.#pause()
    }
    return body.done
  }

  readBody(): void {
    this.resumeBody()
  }

  resumeBody(): void {
    this.#reading = true
    if (this.#paused) {
      this.#paused = false
      this.#socket.resume()
    }
    this.#advance()
  }

  #pause(): void {
    if (this.#paused) return
    this.#paused = true
    this.#socket.pause()
  }

  // --- out -----------------------------------------------------------------------------------------------------

  interim(status: number, reason: string, fields: string): void {
    if (this.#head!.minor === 1) this.#socket.write(`HTTP/1.1 ${status} ${reason}\r\n${fields}\r\n`, 'latin1')
  }

  answer({ status, reason, fields, length, declared }: Answer, last: boolean): void {
    const minor = this.#head?.minor ?? 1
    let text = `HTTP/1.1 ${status} ${reason}\r\n${fields}`
    this.#last = last
    this.#chunks = false
    if (declared !== undefined) text += `Content-Length: ${declared}\r\n`
    else if (length === CHUNKED || length === UNTIL_CLOSE) {
      this.#chunks = minor === 1
      if (this.#chunks) text += 'Transfer-Encoding: chunked\r\n'
      else this.#last = true
    }
    if (this.#last) text += 'Connection: close\r\n'
    else if (minor === 0) text += 'Connection: keep-alive\r\n'
    this.#text = `${text}\r\n`
  }

  piece(buf: Buffer, start: number, end: number): boolean {
    const size = end - start
    if (size <= SMALL) {
      this.#text += this.#chunks
        ? `${chunkHead(size)}${buf.toString('latin1', start, end)}\r\n`
        : buf.toString('latin1', start, end)
      return this.#text.length < MAX_TEXT || this.#write()
    }
    const socket = this.#socket
    socket.cork()
    if (this.#chunks) this.#text += chunkHead(size)
    this.#write()
    let more = socket.write(buf.subarray(start, end))
    if (this.#chunks) more = socket.write('\r\n', 'latin1')
    socket.uncork()
    return more
  }

  flush(): void {
    this.#write()
  }

  #write(): boolean {
    const text = this.#text
    if (text === '') return true
    this.#text = ''
    return this.#socket.write(text, 'latin1')
  }

  end(trailers: string): void {
    if (this.#chunks) this.#text += `0\r\n${trailers}\r\n`
    this.#write()
    this.#visit = undefined
    this.#head = undefined
    if (this.#last) {
      this.#close()
      return
    }
    this.#lines.reset(0)
    this.#idle = true
    this.#deadline = performance.now() + this.#site.settings.keepAliveMs
    if (this.#paused) {
      this.#paused = false
      this.#socket.resume()
    }
    this.#advance()
  }

  abort(): void {
    this.#write()
    this.#visit = undefined
    this.#socket.destroy()
  }

  detach(): { socket: Socket; rest: Buffer; ended: boolean } {
    const socket = this.#socket
    socket.removeListener('data', this.#onData)
    socket.removeListener('drain', this.#onDrain)
    socket.removeListener('end', this.#onEnd)
    socket.removeListener('error', this.#onError)
    socket.removeListener('close', this.#onClose)
    this.#site.clock.remove(this)
    this.#visit = undefined
    const rest = this.#pending
    this.#pending = NOTHING
    return { socket, rest, ended: this.#ended }
  }

  /** The end of the connection. What the visitor still sends is read and forgotten, or it would cost him the answer. */
  #close(): void {
    const whole = this.#body.done && this.#pending.length === 0
    this.#pending = NOTHING
    this.#lingering = true
    this.#deadline = performance.now() + LINGER_MS
    if (whole || this.#ended) this.#socket.destroySoon()
    else {
      this.#socket.end()
      this.#socket.resume()
    }
  }

  /** Answers what can't be made a request of. */
  #refuse(reason: Reason): false {
    const { status, reason: phrase, fields, body } = this.#site.pages.page(reason, '', randomUUID(), '')
    this.#site.meter.answered('', status)
    this.#head = undefined
    this.#body.begin(UNTIL_CLOSE)
    const declared = body.length
    const all = `Date: ${new Date().toUTCString()}\r\n${fields}`
    this.answer({ status, reason: phrase, fields: all, length: declared, declared }, true)
    this.piece(body, 0, body.length)
    this.end('')
    return false
  }
}
