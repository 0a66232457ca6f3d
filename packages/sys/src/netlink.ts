import { SysError } from './errors.ts'
import type { Netns } from './namespaces.ts'
import {
  type Address,
  addressRequest,
  networkOf,
  parseAddress,
  parseRoute,
  type Route,
  routeRequest,
} from './netlink-addresses.ts'
import {
  type Link,
  type LinkOptions,
  type LinkRef,
  linkMessage,
  macBytes,
  newLinkRequest,
  parseLink,
  type VethPeer,
  vethPeer,
  withNetnsFd,
} from './netlink-links.ts'
import { NetlinkRequest, NLM_F } from './netlink-message.ts'
import { NetlinkSocket } from './netlink-socket.ts'

export type { Address, Link, LinkOptions, LinkRef, Route, VethPeer }

/** A route to make or delete. */
export interface NewRoute {
  /** A network, or `default`. */
  to: string
  /** The gateway. */
  via?: string
  /** The device; needed where there is no gateway. */
  link?: LinkRef
}

const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
} as const
const CREATE = NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL
const IFLA = { ADDRESS: 1, IFNAME: 3, MTU: 4, MASTER: 10, LINKINFO: 18, NET_NS_FD: 28 } as const
const IFF_UP = 1
const ENODEV = 19

/**
 * The network devices, addresses and routes of one network namespace, over rtnetlink(7). Every method is one
 * synchronous exchange of some 10 to 100 us. Errors are SysErrors with the kernel's own words.
 */
export class Netlink {
  private readonly socket: NetlinkSocket

  /** @param netns a namespace's path or descriptor; default: that of the caller */
  constructor(netns?: Netns) {
    this.socket = new NetlinkSocket(netns)
  }

  close(): void {
    this.socket.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  links(): Link[] {
    return this.socket.ask(linkMessage(RTM.GETLINK, NLM_F.DUMP, 0), 'list of links').map(parseLink)
  }

  /** The device, or `undefined` where there is none of this name or index. */
  link(ref: string | number): Link | undefined {
    const request = linkMessage(RTM.GETLINK, NLM_F.ACK, typeof ref === 'number' ? ref : 0)
    if (typeof ref === 'string') request.string(IFLA.IFNAME, ref)
    try {
      return this.socket.ask(request, `link ${ref}`).map(parseLink)[0]
    } catch (error) {
      if (error instanceof SysError && error.errno === ENODEV) return undefined
      throw error
    }
  }

  /** Makes a bridge. @throws SysError EEXIST */
  createBridge(name: string, options: LinkOptions = {}): Link {
    const request = newLinkRequest(name, options, this.masterIndex(options))
    request.nested(IFLA.LINKINFO, (info) => info.string(1, 'bridge'))
    this.socket.change(request, `bridge ${name}`)
    return this.must(name)
  }

  /**
   * Makes a pair of devices joined by a wire, its far end straight in another namespace: one message, so
   * that nothing half-made is ever seen.
   */
  createVeth(name: string, peer: VethPeer, options: LinkOptions = {}): Link {
    const request = newLinkRequest(name, options, this.masterIndex(options))
    withNetnsFd(peer.netns, (fd) => {
      request.nested(IFLA.LINKINFO, (info) =>
        info.string(1, 'veth').nested(2, (data) => data.nested(1, (far) => vethPeer(far, peer, fd))),
      )
      this.socket.change(request, `veth ${name}`)
    })
    return this.must(name)
  }

  /** Removes a device (a veth takes its peer along); returns whether it was there. Blocks for 10 to 40 ms: see `deleteNetns` for the better way. */
  deleteLink(ref: LinkRef): boolean {
    try {
      this.socket.change(linkMessage(RTM.DELLINK, NLM_F.ACK, this.index(ref)), `delete link ${label(ref)}`)
      return true
    } catch (error) {
      if (error instanceof SysError && error.errno === ENODEV) return false
      throw error
    }
  }

  setUp(ref: LinkRef): void {
    this.setLink(ref, 'up', linkMessage(RTM.NEWLINK, NLM_F.ACK, this.index(ref), IFF_UP, IFF_UP))
  }

  setDown(ref: LinkRef): void {
    this.setLink(ref, 'down', linkMessage(RTM.NEWLINK, NLM_F.ACK, this.index(ref), 0, IFF_UP))
  }

  /** Plugs a device into a bridge, or with `undefined` out of it. */
  setMaster(ref: LinkRef, master: LinkRef | undefined): void {
    const index = master === undefined ? 0 : this.index(master)
    this.setLink(ref, 'master', this.changeOf(ref).u32(IFLA.MASTER, index))
  }

  /** @param mac for example `02:42:ac:11:00:02` */
  setMac(ref: LinkRef, mac: string): void {
    this.setLink(ref, 'mac', this.changeOf(ref).attribute(IFLA.ADDRESS, macBytes(mac)))
  }

  setMtu(ref: LinkRef, mtu: number): void {
    this.setLink(ref, 'mtu', this.changeOf(ref).u32(IFLA.MTU, mtu))
  }

  /** Renames a device, which must be down on older kernels. */
  rename(ref: LinkRef, name: string): void {
    this.setLink(ref, 'name', this.changeOf(ref).string(IFLA.IFNAME, name))
  }

  /** Moves a device into another namespace, where it is down and without addresses. */
  moveToNetns(ref: LinkRef, netns: Netns): void {
    withNetnsFd(netns, (fd) => this.setLink(ref, 'netns', this.changeOf(ref).u32(IFLA.NET_NS_FD, fd ?? 0)))
  }

  /**
   * Settings of a bridge's port.
   * @param options.hairpin whether a packet may leave by the port it came in (published ports seen from within)
   * @param options.isolated isolated ports do not talk to each other
   */
  setBridgePort(ref: LinkRef, options: { hairpin?: boolean; isolated?: boolean }): void {
    const request = this.changeOf(ref).nested(IFLA.LINKINFO, (info) =>
      info.string(4, 'bridge').nested(5, (data) => {
        if (options.hairpin !== undefined) data.u8(4, options.hairpin ? 1 : 0)
        if (options.isolated !== undefined) data.u8(33, options.isolated ? 1 : 0)
      }),
    )
    this.setLink(ref, 'bridge port', request)
  }

  /** Gives a device an address, e.g. `10.0.0.1/24`. @throws SysError EEXIST */
  addAddress(ref: LinkRef, cidr: string): void {
    this.socket.change(
      addressRequest(RTM.NEWADDR, CREATE, this.index(ref), cidr),
      `address ${cidr} on ${label(ref)}`,
    )
  }

  deleteAddress(ref: LinkRef, cidr: string): void {
    this.socket.change(
      addressRequest(RTM.DELADDR, NLM_F.ACK, this.index(ref), cidr),
      `delete address ${cidr}`,
    )
  }

  /** All addresses of the namespace, or those of one device. */
  addresses(ref?: LinkRef): Address[] {
    const request = new NetlinkRequest(RTM.GETADDR, NLM_F.DUMP).bytes(0, 0, 0, 0).int32(0)
    const all = this.socket.ask(request, 'list of addresses').flatMap(parseAddress)
    if (ref === undefined) return all
    const index = this.index(ref)
    return all.filter((address) => address.linkIndex === index)
  }

  /** @throws SysError EEXIST; ENETUNREACH where no device leads to the gateway */
  addRoute(route: NewRoute): void {
    this.socket.change(routeRequest(RTM.NEWROUTE, CREATE, this.spec(route)), `route ${route.to}`)
  }

  deleteRoute(route: NewRoute): void {
    this.socket.change(routeRequest(RTM.DELROUTE, NLM_F.ACK, this.spec(route)), `delete route ${route.to}`)
  }

  /** The routes of the main table. */
  routes(): Route[] {
    const request = new NetlinkRequest(RTM.GETROUTE, NLM_F.DUMP).bytes(...new Array(12).fill(0))
    return this.socket.ask(request, 'list of routes').flatMap(parseRoute)
  }

  /** The networks that addresses and routes of this namespace claim: what a new subnet must stay clear of. */
  subnetsInUse(): string[] {
    const networks = this.addresses().map((a) => networkOf(a.cidr))
    const routed = this.routes().flatMap((r) => (r.to === 'default' ? [] : [r.to]))
    return [...new Set([...networks, ...routed])]
  }

  private index(ref: LinkRef): number {
    if (typeof ref === 'number') return ref
    if (typeof ref === 'object') return ref.index
    return this.must(ref).index
  }

  private must(name: string): Link {
    const link = this.link(name)
    if (!link) throw new SysError('netlink', ENODEV, { path: `link ${name}` })
    return link
  }

  private spec(route: NewRoute) {
    return { ...route, link: route.link === undefined ? undefined : this.index(route.link) }
  }

  private masterIndex(options: LinkOptions): number | undefined {
    return options.master === undefined ? undefined : this.index(options.master)
  }

  private changeOf(ref: LinkRef): NetlinkRequest {
    return linkMessage(RTM.NEWLINK, NLM_F.ACK, this.index(ref))
  }

  private setLink(ref: LinkRef, what: string, request: NetlinkRequest): void {
    this.socket.change(request, `${what} of link ${label(ref)}`)
  }
}

function label(ref: LinkRef): string {
  return typeof ref === 'object' ? ref.name : String(ref)
}
