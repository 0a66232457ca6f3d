/** What a visit needs of the connection that its request came over, whichever version of HTTP that speaks. @module */
import type { Socket } from 'node:net'
import type { BodyLength } from '../http1/framing.ts'
import type { Peer } from './peer.ts'

export interface Answer {
  status: number
  reason: string
  /** Lines, each with its CR LF, without those that frame the body. */
  fields: string
  length: BodyLength
  /** For an answer without a body: what its Content-Length says. */
  declared: number | undefined
}

export interface Visitor {
  readonly peer: Peer
  /** 100 and 103. */
  interim(status: number, reason: string, fields: string): void
  /** The head; goes out with the first piece of the body, or at `flush`. @param last no other request may follow */
  answer(answer: Answer, last: boolean): void
  /** A piece of the body. False: no more until the visit's `drained`. */
  piece(buf: Buffer, start: number, end: number): boolean
  flush(): void
  end(trailers: string): void
  /** The answer can't be ended: the visitor must see that it is not whole. */
  abort(): void
  /** The body of the request may come: `body` and `bodyEnd` of the visit are called from now on. */
  readBody(): void
  /** After `body` of the visit answered false. */
  resumeBody(): void
  /** The socket itself, with what came behind the head, for another protocol. HTTP/1.1 only. */
  detach(): { socket: Socket; rest: Buffer; ended: boolean }
}
