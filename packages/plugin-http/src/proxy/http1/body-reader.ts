/** A message's body, taken out of its framing. RFC 9112 6 and 7. @module */
import { allOf, COLON, CR, LF, TOKEN, VALUE } from './bytes.ts'
import { EXTENSION_BEGIN, mayEnd, nextInExtension } from './chunk-extension.ts'
import { type BodyLength, CHUNKED, NO_BODY, UNTIL_CLOSE } from './framing.ts'

/** Where a chunked body is. */
const At = { Size: 0, Extension: 1, SizeEnd: 2, Data: 3, DataCr: 4, DataLf: 5, Trailers: 6 } as const

/** Of the line that tells a chunk's size: enough for signatures that some clients put there. */
const MAX_SIZE_LINE = 4096
const MAX_SIZE_DIGITS = 13
const MAX_TRAILERS = 16 << 10

/** Whoever puts these into a trailer wants somebody to believe them, and llhttp refuses them too. */
const NEVER_IN_TRAILERS = new Set(['transfer-encoding', 'content-length'])

/** Names that a trailer must not bring in behind everybody's back. RFC 9110 6.5.1. */
const NOT_IN_TRAILERS = new Set([
  'host',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'authorization',
  'proxy-authorization',
  'proxy-authenticate',
  'proxy-connection',
  'http2-settings',
  'set-cookie',
  'cookie',
  'content-encoding',
  'content-type',
  'content-range',
  'forwarded',
  'x-real-ip',
])

/**
 * Reads a body piece by piece. Each `next` passes over framing and stops behind one piece of payload:
 *
 * @example
 * for (let at = 0; at < buf.length && !body.done; ) {
 *   at = body.next(buf, at)
 *   if (body.failed) return refuse()
 *   if (body.pieceEnd > body.pieceStart) pass(buf.subarray(body.pieceStart, body.pieceEnd))
 * }
 */
export class BodyReader {
  /** The payload that the last `next` found; empty where it found framing alone. */
  pieceStart = 0
  pieceEnd = 0
  done = true
  failed = false
  /** Lines of the trailer section, each with its CR LF; chunked bodies only. */
  trailers = ''
  #left: BodyLength = NO_BODY
  #chunked = false
  #at: number = At.Size
  #digits = 0
  #extension = 0
  /** Bytes of the extension, or of the trailer section. */
  #line = 0
  #section: Buffer | undefined

  begin(length: BodyLength): void {
    this.done = length === NO_BODY
    this.failed = false
    this.trailers = ''
    this.#chunked = length === CHUNKED
    this.#left = this.#chunked ? 0 : length
    this.#at = At.Size
    this.#digits = 0
    this.#line = 0
    this.#section = undefined
  }

  /** Whether the end of the connection is the end of the body. */
  get untilClose(): boolean {
    return !this.done && this.#left === UNTIL_CLOSE
  }

  /** Reads from `at` on; answers how far it came. */
  next(buf: Buffer, at: number): number {
    this.pieceStart = this.pieceEnd = at
    if (this.#chunked) return this.#nextChunked(buf, at)
    const end = this.#left === UNTIL_CLOSE ? buf.length : Math.min(buf.length, at + this.#left)
    this.pieceEnd = end
    if (this.#left !== UNTIL_CLOSE) {
      this.#left -= end - at
      this.done = this.#left === 0
    }
    return end
  }

  #nextChunked(buf: Buffer, at: number): number {
    while (at < buf.length) {
      const byte = buf[at]!
      switch (this.#at) {
        case At.Size: {
          const digit = hexOf(byte)
          if (digit >= 0) {
            if (++this.#digits > MAX_SIZE_DIGITS) return this.#fail(at)
            this.#left = this.#left * 16 + digit
          } else if (this.#digits === 0) return this.#fail(at)
          else if (byte === CR) this.#at = At.SizeEnd
          // An extension means something to the neighbour only, and is not passed on. RFC 9112 7.1.1.
          else if (byte === 59) {
            this.#at = At.Extension
            this.#extension = EXTENSION_BEGIN
          } else return this.#fail(at)
          at++
          break
        }
        case At.Extension:
          if (byte === CR && mayEnd(this.#extension)) this.#at = At.SizeEnd
          else {
            this.#extension = nextInExtension(this.#extension, byte)
            if (this.#extension === 0 || ++this.#line > MAX_SIZE_LINE) return this.#fail(at)
          }
          at++
          break
        case At.SizeEnd:
          if (byte !== LF) return this.#fail(at)
          at++
          this.#digits = 0
          this.#line = 0
          this.#at = this.#left === 0 ? At.Trailers : At.Data
          break
        case At.Data: {
          const end = Math.min(buf.length, at + this.#left)
          this.pieceStart = at
          this.pieceEnd = end
          this.#left -= end - at
          if (this.#left > 0) return end
          this.#at = At.DataCr
          return end
        }
        case At.DataCr:
          if (byte !== CR) return this.#fail(at)
          this.#at = At.DataLf
          at++
          break
        case At.DataLf:
          if (byte !== LF) return this.#fail(at)
          this.#at = At.Size
          at++
          break
        case At.Trailers:
          return this.#readTrailers(buf, at)
      }
    }
    return at
  }

  #readTrailers(buf: Buffer, at: number): number {
    const before = this.#section?.length ?? 0
    const section = before === 0 ? buf.subarray(at) : Buffer.concat([this.#section!, buf.subarray(at)])
    let begin = 0
    for (;;) {
      const lf = section.indexOf(LF, begin)
      if (lf < 0) break
      const end = lf - 1
      if (end < begin || section[end] !== CR) return this.#fail(at)
      if (end === begin) {
        this.done = true
        this.#section = undefined
        return at + lf + 1 - before
      }
      const line = trailerLine(section, begin, end)
      this.#line += lf + 1 - begin
      if (line === undefined || this.#line > MAX_TRAILERS) return this.#fail(at)
      this.trailers += line
      begin = lf + 1
    }
    if (this.#line + section.length - begin > MAX_TRAILERS) return this.#fail(at)
    // Lines that are whole are not looked at again, however few bytes come at a time.
    this.#section = Buffer.from(section.subarray(begin))
    return buf.length
  }

  #fail(at: number): number {
    this.failed = true
    return at
  }
}

/** The line with its CR LF; empty where it may not be a trailer; undefined where it is none. */
function trailerLine(buf: Buffer, begin: number, end: number): string | undefined {
  let colon = begin
  while (colon < end && buf[colon] !== COLON) if (TOKEN[buf[colon++]!] === 0) return undefined
  if (colon === begin || colon === end || !allOf(buf, colon + 1, end, VALUE)) return undefined
  const name = buf.toString('latin1', begin, colon).toLowerCase()
  if (NEVER_IN_TRAILERS.has(name)) return undefined
  const plain = name.replaceAll('_', '-')
  if (NOT_IN_TRAILERS.has(plain) || plain.startsWith('x-forwarded-') || NEVER_IN_TRAILERS.has(plain))
    return ''
  return `${buf.toString('latin1', begin, end)}\r\n`
}

function hexOf(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

/** One chunk's framing around `size` bytes. */
export function chunkHead(size: number): string {
  return `${size.toString(16)}\r\n`
}
