import type http from 'node:http'
import type { Duplex } from 'node:stream'

/** A request on its way in: node's pair, and the connection where the request may take it over. */
export interface Exchange {
  incoming: http.IncomingMessage
  outgoing: http.ServerResponse
  hijackable?: Hijackable
}

/** A connection that a request may take over. */
export interface Hijackable {
  /**
   * Writes the head of the answer and hands out the connection: `101 UPGRADED` where the client asked for an
   * upgrade (Docker's client accepts no other reason phrase), else `200 OK` as clients before 1.22 expect.
   */
  take(headers: Record<string, string>): Duplex
  /** Hands out the connection and writes nothing. */
  takeRaw(): Duplex
}
