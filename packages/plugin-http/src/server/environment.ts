import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { type HttpEnvironment, invalid } from '@kernel/contracts'
import type { Context } from 'hono'
import type { Caller } from '../auth/caller.ts'
import type { Exchange, Hijackable } from './exchange.ts'
import type { Call } from './mounts.ts'

/** What the server knows of a request beside the request itself. */
export interface ServerEnvironment extends HttpEnvironment {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  /** The request came over a unix socket, so that its sender is the machine's owner. */
  readonly local: boolean
  /** Set by authentication. */
  callerInfo?: Caller
  readonly call: Call
}

export interface ServerTypes {
  Bindings: ServerEnvironment
}
export type ServerContext = Context<ServerTypes>

/**
 * The environment of one request. Its signal aborts when the client goes away or `call.abort` says so; the
 * call has ended when the answer is written, or when the connection it took over is closed.
 */
export function createEnvironment(
  { incoming, outgoing, hijackable }: Exchange,
  local: boolean,
): ServerEnvironment {
  const abort = new AbortController()
  const ended = Promise.withResolvers<void>()
  let taken = false

  outgoing.once('close', () => {
    if (!outgoing.writableFinished) abort.abort(new Error('The client went away'))
    ended.resolve()
  })

  return {
    incoming,
    outgoing,
    local,
    signal: abort.signal,
    upgradable: hijackable !== undefined,
    hijacked: RESPONSE_ALREADY_SENT,
    call: { abort: (reason) => abort.abort(reason), ended: ended.promise },
    hijack(contentType, headers = {}) {
      return takeConnection((from) => from.take({ 'Content-Type': contentType, ...headers }))
    },
    takeUpgrade() {
      return { request: incoming, socket: takeConnection((from) => from.takeRaw()) }
    },
  }

  function takeConnection(take: (from: Hijackable) => Duplex): Duplex {
    if (hijackable === undefined || taken)
      throw invalid('This request talks in both directions, so it has to ask for an upgrade', {
        hint: 'Send the headers "Connection: Upgrade" and "Upgrade: tcp".',
      })
    taken = true
    const connection = take(hijackable)
    connection.once('close', () => {
      abort.abort(new Error('The client went away'))
      ended.resolve()
    })
    return connection
  }
}
