/** A visitor's connection that speaks HTTP/2: many requests at a time, each a stream. RFC 9113. @module */
import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Stream,
} from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { CHUNKED, NO_BODY } from '../http1/framing.ts'
import { readStreamHead } from '../http2/stream-head.ts'
import type { Timed } from './clock.ts'
import type { Peer } from './peer.ts'
import type { Site } from './site.ts'
import { Visit } from './visit.ts'
import type { Answer, Visitor } from './visitor.ts'

/** Streams that one visitor may have open at a time. */
const MAX_STREAMS = 128

export interface H2Connection {
  /** No further streams; the connection ends with the last. */
  close(): void
  destroy(): void
}

/** Serves the streams of a connection until it ends. */
export function serveHttp2(site: Site, socket: TLSSocket, peer: Peer, onGone: () => void): H2Connection {
  const { maxHeaderBytes, maxHeaders, keepAliveMs } = site.settings
  // A session waits for the end of the handshake, which of a socket that no tls.Server made is never told.
  Object.assign(socket, { secureConnecting: false })
  const session = performServerHandshake(socket, {
    settings: {
      maxConcurrentStreams: MAX_STREAMS,
      maxHeaderListSize: maxHeaderBytes,
      enablePush: false,
      initialWindowSize: 256 << 10,
    },
    maxHeaderListPairs: maxHeaders + 8,
    maxSendHeaderBlockLength: 256 << 10,
    // A target that names its ETag twice is for the visitor to judge, as over HTTP/1.1.
    strictSingleValueFields: false,
  } as Parameters<typeof performServerHandshake>[1])
  let streams = 0
  session.on('error', () => session.destroy())
  session.on('close', onGone)
  session.setTimeout(keepAliveMs, () => {
    if (streams === 0) session.close()
    else session.setTimeout(keepAliveMs)
  })
  session.on(
    'stream',
    (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, raw: string[]) => {
      streams++
      stream.on('error', () => {})
      stream.on('close', () => streams--)
      try {
        const whole = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
        new H2Stream(site, stream, peer).begin(headers, raw, whole)
      } catch (error) {
        site.warn('A request failed inside the edge', { error: (error as Error).stack ?? String(error) })
        stream.close(constants.NGHTTP2_INTERNAL_ERROR)
      }
    },
  )
  return { close: () => session.close(), destroy: () => session.destroy() }
}

class H2Stream implements Visitor, Timed {
  readonly peer: Peer
  readonly #site: Site
  readonly #stream: ServerHttp2Stream
  #visit: Visit | undefined
  #trailersIn = ''
  #trailersOut = ''
  #whole = false
  #bodyless = false

  constructor(site: Site, stream: ServerHttp2Stream, peer: Peer) {
    this.#site = site
    this.#stream = stream
    this.peer = peer
  }

  begin(headers: IncomingHttpHeaders, raw: string[], whole: boolean): void {
    const stream = this.#stream
    this.#whole = whole
    const head = readStreamHead(headers, raw, whole, this.peer.trusted)
    if (typeof head === 'number') {
      this.#site.meter.answered('', head)
      stream.respond({ ':status': head }, { endStream: true })
      return
    }
    this.#visit = new Visit(this.#site, this, head)
    this.#site.clock.add(this)
    stream.on('drain', () => this.#visit?.drained())
    stream.on('close', () => {
      this.#site.clock.remove(this)
      const visit = this.#visit
      this.#visit = undefined
      visit?.left()
    })
    this.#visit.begin()
  }

  tick(now: number): void {
    this.#visit?.tick(now)
  }

  readBody(): void {
    const stream = this.#stream
    stream.on('trailers', (trailers: IncomingHttpHeaders) => {
      for (const [name, value] of Object.entries(trailers))
        if (typeof value === 'string' && !name.startsWith(':')) this.#trailersIn += `${name}: ${value}\r\n`
    })
    stream.on('data', (chunk: Buffer) => {
      if (chunk.length > 0 && this.#visit?.body(chunk, 0, chunk.length) === false) stream.pause()
    })
    stream.on('end', () => {
      this.#whole = true
      this.#visit?.bodyEnd(this.#trailersIn)
    })
  }

  resumeBody(): void {
    this.#stream.resume()
  }

  interim(status: number, _reason: string, fields: string): void {
    if (this.#stream.destroyed) return
    this.#stream.additionalHeaders({ ':status': status, ...headersOf(fields) })
  }

  answer({ status, fields, length, declared }: Answer): void {
    const stream = this.#stream
    if (stream.destroyed) return
    const headers: OutgoingHttpHeaders = { ':status': status, ...headersOf(fields) }
    if (declared !== undefined) headers['content-length'] = declared
    this.#bodyless = length === NO_BODY
    stream.respond(headers, { endStream: this.#bodyless, waitForTrailers: length === CHUNKED })
    if (length === CHUNKED)
      stream.on('wantTrailers', () => {
        try {
          stream.sendTrailers(headersOf(this.#trailersOut))
        } catch (error) {
          this.#site.warn('Trailers could not be passed on', { error: (error as Error).message })
          stream.close(constants.NGHTTP2_INTERNAL_ERROR)
        }
      })
  }

  piece(buf: Buffer, start: number, end: number): boolean {
    return this.#stream.writable ? this.#stream.write(buf.subarray(start, end)) : true
  }

  flush(): void {}

  end(trailers: string): void {
    const stream = this.#stream
    this.#visit = undefined
    this.#trailersOut = trailers
    if (stream.destroyed) return
    // RFC 9113 8.1: an answer before the end of the request asks for the rest not to be sent.
    if (!this.#whole) stream.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR))
    if (!this.#bodyless) stream.end()
  }

  abort(): void {
    this.#visit = undefined
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }

  detach(): never {
    throw new Error('a stream of HTTP/2 has no socket of its own')
  }
}

/** Lines as HTTP/2 takes them: names in lower case, repeated ones as lists. */
function headersOf(fields: string): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = {}
  for (const line of fields.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    const before = headers[name]
    if (before === undefined) headers[name] = value
    else headers[name] = Array.isArray(before) ? [...before, value] : [before, value]
  }
  return headers
}
