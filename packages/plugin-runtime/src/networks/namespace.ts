import fs from 'node:fs'
import path from 'node:path'
import type { Logger } from '@kernel/kernel'
import { createNetns, deleteNetns, Netlink, withNetns } from '@kernel/sys'
import { BRIDGE_OPTION, type BridgeRecord, mtuOf } from './bridges.ts'
import type { EndpointRecord } from './records.ts'
import { parseSubnet } from './subnets.ts'
import { setSysctls } from './sysctl.ts'

/** Docker's settings of a container's network: no IPv6 that no one serves, low ports and ping without root. */
const NAMESPACE_SYSCTLS = {
  'ipv6/conf/default/disable_ipv6': '1',
  'ipv4/ip_unprivileged_port_start': '0',
  'ipv4/ping_group_range': '0\t2147483647',
}

/** Makes a container's namespace with its loopback device up. */
export function makeNamespace(file: string, log: Logger): void {
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  deleteNetns(file) // what a crash left under this name
  createNetns(file)
  withNetns(file, () => setSysctls(NAMESPACE_SYSCTLS, log))
  using netlink = new Netlink(file)
  netlink.setUp('lo')
}

/** Joins a namespace to a bridge: a veth pair made in one message, its address, and the route out where asked. */
export function plug(
  host: Netlink,
  netns: string,
  endpoint: EndpointRecord,
  network: BridgeRecord,
  options: { defaultRoute: boolean },
): void {
  const bridge = host.link(network.link)
  if (!bridge) throw new Error(`bridge ${network.link} of network ${network.name} is gone`)
  const mtu = bridge.mtu || mtuOf(host, network)
  const { veth, device, address, mac } = endpoint
  host.createVeth(veth, { name: device, netns, mac, mtu }, { master: bridge, up: true, mtu })
  // A container may visit a port that it published itself: where netfilter also sees bridged packets
  // (bridge-nf-call-iptables), the redirected packet goes straight back by the port it came from.
  host.setBridgePort(veth, { hairpin: true, isolated: network.options[BRIDGE_OPTION.icc] === 'false' })
  using inner = new Netlink(netns)
  inner.addAddress(device, `${address}/${parseSubnet(network.subnet).prefix}`)
  inner.setUp(device)
  if (options.defaultRoute) inner.addRoute({ to: 'default', via: network.gateway, link: device })
}

/** Gives the namespace its default route over another endpoint. */
export function routeBy(netns: string, endpoint: EndpointRecord, network: BridgeRecord): void {
  using inner = new Netlink(netns)
  const old = inner.routes().find((route) => route.to === 'default' && route.family === 'ipv4')
  if (old?.via !== undefined) inner.deleteRoute({ to: 'default', via: old.via })
  inner.addRoute({ to: 'default', via: network.gateway, link: endpoint.device })
}

/** The first free name eth0, eth1, ... */
export function nextDevice(endpoints: EndpointRecord[]): string {
  for (let i = 0; ; i++) if (!endpoints.some((endpoint) => endpoint.device === `eth${i}`)) return `eth${i}`
}
