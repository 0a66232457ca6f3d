import ipaddr from 'ipaddr.js'
import { type NetlinkMessage, NetlinkRequest, parseAttributes } from './netlink-message.ts'

/** An address of a device. */
export interface Address {
  linkIndex: number
  family: 'ipv4' | 'ipv6'
  /** With its prefix length, for example `10.0.0.1/24`. */
  cidr: string
  address: string
  prefix: number
}

/** A route of the main table. */
export interface Route {
  family: 'ipv4' | 'ipv6'
  /** The network it leads to, or `default`. */
  to: string
  via?: string
  linkIndex?: number
}

/** A route to make or delete, its device already an index. */
export interface RouteSpec {
  to: string
  via?: string
  link?: number
}

const AF = { ipv4: 2, ipv6: 10 } as const
const IFA_F_NODAD = 2
const MAIN_TABLE = 254

/** struct ifaddrmsg with its attributes (rtnetlink(7)). */
export function addressRequest(type: number, flags: number, link: number, cidr: string): NetlinkRequest {
  const [address, prefix] = ipaddr.parseCIDR(cidr)
  const family = address.kind()
  const bytes = Uint8Array.from(address.toByteArray())
  // An IPv6 address that we chose ourselves need not wait a second to prove that nobody else has it.
  const flagBits = family === 'ipv6' ? IFA_F_NODAD : 0
  const request = new NetlinkRequest(type, flags).bytes(AF[family], prefix, flagBits, 0).int32(link)
  request.attribute(2, bytes).attribute(1, bytes)
  if (family === 'ipv4' && prefix < 31) {
    request.attribute(4, Uint8Array.from(ipaddr.IPv4.broadcastAddressFromCIDR(cidr).toByteArray()))
  }
  return request
}

/** struct rtmsg with its attributes; `default` without a gateway means IPv4. */
export function routeRequest(type: number, flags: number, route: RouteSpec): NetlinkRequest {
  const via = route.via === undefined ? undefined : ipaddr.parse(route.via)
  const target = route.to === 'default' ? undefined : ipaddr.parseCIDR(route.to)
  const family = via?.kind() ?? target?.[0].kind() ?? 'ipv4'
  const scope = via || family === 'ipv6' ? 0 : 253 // universe, or link
  const [staticProtocol, unicast] = [4, 1]
  const request = new NetlinkRequest(type, flags)
    .bytes(AF[family], target?.[1] ?? 0, 0, 0, MAIN_TABLE, staticProtocol, scope, unicast)
    .int32(0)
  if (target) request.attribute(1, Uint8Array.from(target[0].toByteArray()))
  if (via) request.attribute(5, Uint8Array.from(via.toByteArray()))
  if (route.link !== undefined) request.u32(4, route.link)
  return request
}

/** Reads an RTM_NEWADDR message; nothing for families other than IP. */
export function parseAddress(message: NetlinkMessage): Address[] {
  const attributes = parseAttributes(message.body, 8)
  const family = familyOf(message.body[0])
  const bytes = attributes.get(2) ?? attributes.get(1) // IFA_LOCAL; IPv6 has only IFA_ADDRESS
  if (!family || !bytes) return []
  const address = addressText(bytes)
  const prefix = message.body[1] ?? 0
  return [{ linkIndex: message.body.readUInt32LE(4), family, cidr: `${address}/${prefix}`, address, prefix }]
}

/** Reads an RTM_NEWROUTE message; nothing for other tables, and for broadcast and local entries. */
export function parseRoute(message: NetlinkMessage): Route[] {
  const { body } = message
  const attributes = parseAttributes(body, 12)
  const family = familyOf(body[0])
  const table = attributes.get(15)?.readUInt32LE(0) ?? body[4]
  if (!family || table !== MAIN_TABLE || body[7] !== 1) return []
  const [to, via] = [attributes.get(1), attributes.get(5)]
  return [
    {
      family,
      to: to ? `${addressText(to)}/${body[1]}` : 'default',
      via: via && addressText(via),
      linkIndex: attributes.get(4)?.readUInt32LE(0),
    },
  ]
}

/** `10.0.0.7/24` -> `10.0.0.0/24` */
export function networkOf(cidr: string): string {
  const [address, prefix] = ipaddr.parseCIDR(cidr)
  const of = address.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6
  return `${of.networkAddressFromCIDR(cidr)}/${prefix}`
}

function familyOf(number: number | undefined): 'ipv4' | 'ipv6' | undefined {
  return number === AF.ipv4 ? 'ipv4' : number === AF.ipv6 ? 'ipv6' : undefined
}

function addressText(bytes: Buffer): string {
  return ipaddr.fromByteArray([...bytes]).toString()
}
