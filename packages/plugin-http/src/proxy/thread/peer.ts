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

/** Whether the visitor's own connection is encrypted, by the word of a trusted proxy where there is one. */
export function isSecure({ secure, trusted }: Peer, head: RequestHead): boolean {
  const proto = trusted ? head.claims?.proto : undefined
  return proto === undefined ? secure : proto.toLowerCase() === 'https'
}
