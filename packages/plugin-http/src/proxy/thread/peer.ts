/** Who is at the other end of a visitor's connection, and how a target is told. RFC 7239. @module */
import { type BlockList, isIP } from 'node:net'
import type { RequestHead } from '../http1/request-head.ts'

export interface Peer {
  /** Of the visitor, as far as it is known: behind a PROXY protocol, what that says. */
  address: string
  /** Of the edge, as the visitor reached it. */
  localPort: number
  secure: boolean
  /** Whether it is a proxy whose word is taken. */
  trusted: boolean
}

/** An IPv4 address that came over an IPv6 socket, as IPv4. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address
}

export function isTrusted(list: BlockList, address: string): boolean {
  const family = isIP(address)
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/** The lines that tell a target who asks. What a trusted proxy has said goes on, with the proxy added. */
export function identityLines({ address, localPort, secure, trusted }: Peer, head: RequestHead): string {
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

/** Whether the visitor's own connection is encrypted, by the word of a trusted proxy where there is one. */
export function isSecure({ secure, trusted }: Peer, head: RequestHead): boolean {
  const proto = trusted ? head.claims?.proto : undefined
  return proto === undefined ? secure : proto.toLowerCase() === 'https'
}
