import fs from 'node:fs'
import { SysError } from './errors.ts'
import type { Netns } from './namespaces.ts'
import { type NetlinkMessage, NetlinkRequest, NLM_F, parseAttributes, text } from './netlink-message.ts'

/** A network device: its name, its index, or the device itself as it was read. */
export type LinkRef = string | number | Link

/** A network device. */
export interface Link {
  index: number
  name: string
  /** `bridge`, `veth`, ...; undefined for plain devices. */
  kind?: string
  mac?: string
  mtu: number
  /** Switched on (IFF_UP); whether a cable is plugged in is another matter. */
  up: boolean
  /** The index of the bridge it is plugged into. */
  master?: number
  stats?: LinkStats
}

/** What went through a device since it was made. */
export interface LinkStats {
  rxBytes: number
  rxPackets: number
  rxErrors: number
  rxDropped: number
  txBytes: number
  txPackets: number
  txErrors: number
  txDropped: number
}

export interface LinkOptions {
  /** For example `02:42:ac:11:00:02`; default: a random one. */
  mac?: string
  mtu?: number
  /** Whether it is switched on at once; default false. */
  up?: boolean
  /** The bridge to plug it into. */
  master?: LinkRef
}

/** The far end of a veth pair. */
export interface VethPeer {
  name: string
  /** Where it is put; default: the same namespace. */
  netns?: Netns
  mac?: string
  mtu?: number
}

const RTM_NEWLINK = 16
const IFLA = { ADDRESS: 1, IFNAME: 3, MTU: 4, MASTER: 10, LINKINFO: 18, STATS64: 23, NET_NS_FD: 28 } as const
const IFF_UP = 1

/** A request whose fixed part is struct ifinfomsg. */
export function linkMessage(type: number, flags: number, index: number, on = 0, change = 0): NetlinkRequest {
  return new NetlinkRequest(type, flags).bytes(0, 0, 0, 0).int32(index).int32(on).int32(change)
}

/** The start of a request that makes a device; the kind is still to be added. */
export function newLinkRequest(name: string, options: LinkOptions, master?: number): NetlinkRequest {
  const up = options.up ? IFF_UP : 0
  const request = linkMessage(RTM_NEWLINK, NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL, 0, up, up)
  request.string(IFLA.IFNAME, name)
  if (options.mac) request.attribute(IFLA.ADDRESS, macBytes(options.mac))
  if (options.mtu) request.u32(IFLA.MTU, options.mtu)
  if (master !== undefined) request.u32(IFLA.MASTER, master)
  return request
}

/** Writes the far end of a veth pair: an ifinfomsg of its own, then its attributes. */
export function vethPeer(request: NetlinkRequest, peer: VethPeer, netnsFd: number | undefined): void {
  request.bytes(0, 0, 0, 0).int32(0).int32(0).int32(0).string(IFLA.IFNAME, peer.name)
  if (peer.mac) request.attribute(IFLA.ADDRESS, macBytes(peer.mac))
  if (peer.mtu) request.u32(IFLA.MTU, peer.mtu)
  if (netnsFd !== undefined) request.u32(IFLA.NET_NS_FD, netnsFd)
}

/** Reads an RTM_NEWLINK message. */
export function parseLink(message: NetlinkMessage): Link {
  const attributes = parseAttributes(message.body, 16)
  const info = attributes.get(IFLA.LINKINFO)
  const mac = attributes.get(IFLA.ADDRESS)
  return {
    index: message.body.readInt32LE(4),
    name: text(attributes.get(IFLA.IFNAME)) ?? '',
    kind: info && text(parseAttributes(info, 0).get(1)),
    mac: mac?.length === 6 ? mac.toString('hex').replace(/..(?=.)/g, '$&:') : undefined,
    mtu: attributes.get(IFLA.MTU)?.readUInt32LE(0) ?? 0,
    up: (message.body.readUInt32LE(8) & IFF_UP) !== 0,
    master: attributes.get(IFLA.MASTER)?.readUInt32LE(0),
    stats: parseStats(attributes.get(IFLA.STATS64)),
  }
}

/** struct rtnl_link_stats64: packets, bytes, errors, dropped, each received then sent. */
function parseStats(bytes: Buffer | undefined): LinkStats | undefined {
  if (!bytes || bytes.length < 64) return undefined
  const at = (index: number) => Number(bytes.readBigUInt64LE(index * 8))
  return {
    rxPackets: at(0),
    txPackets: at(1),
    rxBytes: at(2),
    txBytes: at(3),
    rxErrors: at(4),
    txErrors: at(5),
    rxDropped: at(6),
    txDropped: at(7),
  }
}

/** @throws SysError EINVAL for what is not six hexadecimal pairs */
export function macBytes(mac: string): Buffer {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac)) {
    throw new SysError('netlink', 22, { path: mac, detail: 'not a MAC address such as 02:42:ac:11:00:02' })
  }
  return Buffer.from(mac.replaceAll(':', ''), 'hex')
}

/** A namespace as a descriptor, for as long as `fn` runs. */
export function withNetnsFd(netns: Netns | undefined, fn: (fd: number | undefined) => void) {
  if (typeof netns !== 'string') return fn(netns)
  const fd = fs.openSync(netns, 'r')
  try {
    fn(fd)
  } finally {
    fs.closeSync(fd)
  }
}
