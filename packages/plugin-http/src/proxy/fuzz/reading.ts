/** What the edge makes of a visitor's bytes, without sockets: the parsers as `thread/h1-visitor.ts` drives them. @module */
import { BodyReader, chunkHead } from '../http1/body-reader.ts'
import { HeadLines } from '../http1/head-lines.ts'
import { type RequestHead, readRequestHead } from '../http1/request-head.ts'
import { forwardedHead } from '../thread/forwarded-head.ts'
import type { Peer } from '../thread/peer.ts'
import { bodyKind } from '../thread/target-connection.ts'

export interface ReadRequest {
  head: RequestHead
  body: Buffer
  /** The bytes that a target gets. */
  wire: Buffer
  whole: boolean
  /**
   * llhttp reads no further: the target has bytes beyond ASCII, which the edge encodes; or the visitor offers to change
   * to HTTP/2, which the edge passes over.
   */
  endsOracle: boolean
}

export interface Reading {
  requests: ReadRequest[]
  /** Why the edge has read no further. */
  refused: string | undefined
}

const PEER: Peer = { address: '127.0.0.1', localPort: 80, secure: false, trusted: false }
const ORIGIN = 'http://127.0.0.1:5000'
const MAX_BYTES = 16 << 10
const MAX_FIELDS = 128
const NOTHING = Buffer.alloc(0)

/** Reads the pieces as they arrive, up to the end of the connection as the edge would end it. */
export function readVisit(pieces: readonly Buffer[]): Reading {
  const lines = new HeadLines(MAX_BYTES, MAX_FIELDS)
  const body = new BodyReader()
  const reading: Reading = { requests: [], refused: undefined }
  let current: { request: ReadRequest; wire: Buffer[]; payload: Buffer[]; chunks: boolean } | undefined
  let pending: Buffer = NOTHING
  lines.reset(0)

  function step(): boolean {
    if (reading.refused !== undefined) return false
    if (current) return passBody()
    if (pending.length === 0) return false
    const progress = lines.scan(pending)
    if (progress === 'more') return false
    if (progress !== 'done') return refuse(progress)
    const head = readRequestHead(pending, lines, false)
    if (typeof head === 'number') return refuse(String(head))
    const [line = '', ...fields] = pending.toString('latin1', lines.start, lines.end).split('\r\n')
    const endsOracle = /[\x80-\xff]/.test(line) || fields.some((field) => /^upgrade:.*h2c/i.test(field))
    pending = pending.subarray(lines.end)
    body.begin(head.length)
    const request: ReadRequest = { head, body: NOTHING, wire: NOTHING, whole: false, endsOracle }
    reading.requests.push(request)
    const wire = [Buffer.from(forwardedHead(head, PEER, 'id', ORIGIN), 'latin1')]
    current = { request, wire, payload: [], chunks: bodyKind(head.length) === 'chunks' }
    return body.done ? endBody('') : true
  }

  function passBody(): boolean {
    let at = 0
    while (!body.done && at < pending.length) {
      at = body.next(pending, at)
      if (body.failed) return refuse('body')
      if (body.pieceEnd === body.pieceStart) continue
      const piece = pending.subarray(body.pieceStart, body.pieceEnd)
      current!.payload.push(piece)
      if (current!.chunks)
        current!.wire.push(Buffer.from(chunkHead(piece.length)), piece, Buffer.from('\r\n'))
      else current!.wire.push(piece)
    }
    pending = pending.subarray(at)
    return body.done && endBody(body.trailers)
  }

  function endBody(trailers: string): boolean {
    const { request, wire, payload, chunks } = current!
    if (chunks) wire.push(Buffer.from(`0\r\n${trailers}\r\n`, 'latin1'))
    request.wire = Buffer.concat(wire)
    request.body = Buffer.concat(payload)
    request.whole = true
    current = undefined
    lines.reset(0)
    // What follows is dropped with the connection, or belongs to another protocol.
    if (!request.head.keepAlive || request.head.upgrade !== undefined) return refuse('last')
    return true
  }

  function refuse(why: string): false {
    reading.refused = why
    return false
  }

  for (const piece of pieces) {
    pending = pending.length === 0 ? piece : Buffer.concat([pending, piece])
    while (step());
  }
  return reading
}
