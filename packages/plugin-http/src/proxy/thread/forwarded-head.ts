/** A request as a target gets to see it. RFC 9110 7.6, RFC 7239. @module */
import type { RequestHead } from '../http1/request-head.ts'
import type { Peer } from './peer.ts'

/** The whole head, with the empty line at its end. @param origin of the target */
export function forwardedHead(head: RequestHead, peer: Peer, requestId: string, origin: string): string {
  const { method, path, authority, fields, upgrade } = head
  // HTTP/1.0 may come without a Host, HTTP/1.1 may not go on without one.
  const host = authority === '' ? origin.slice(origin.indexOf('//') + 2) : authority
  const change = upgrade === undefined ? '' : `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`
  return (
    `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}${identityLines(peer, head)}` +
    `X-Request-Id: ${requestId}\r\n${change}\r\n`
  )
}

/** The lines that tell a target who asks. What a trusted proxy has said goes on, with the proxy added. */
function identityLines({ address, localPort, secure, trusted }: Peer, head: RequestHead): string {
  const claims = trusted ? head.claims : undefined
  const proto = claims?.proto ?? (secure ? 'https' : 'http')
  const host = claims?.host ?? head.authority
  const chain = claims?.for === undefined ? address : `${claims.for}, ${address}`
  const node = address.includes(':') ? `"[${address}]"` : address
  // A host that came over a proxy may hold what a quoted string must not.
  const shown = /["\\]/.test(host) ? '' : `;host="${host}"`
  const element = `for=${node}${shown};proto=${secure ? 'https' : 'http'}`
  const forwarded = claims?.forwarded === undefined ? element : `${claims.forwarded}, ${element}`
  return (
    `X-Forwarded-For: ${chain}\r\nX-Forwarded-Proto: ${proto}\r\nX-Forwarded-Host: ${host}\r\n` +
    `X-Forwarded-Port: ${claims?.port ?? localPort}\r\nForwarded: ${forwarded}\r\n`
  )
}
