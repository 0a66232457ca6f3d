import type { Logger } from '@kernel/kernel'
import type { Netlink } from '@kernel/sys'
import type { BridgeRules } from './firewall-rules.ts'
import type { NetworkRecord } from './records.ts'
import { macOf, overlaps, parseSubnet, type Subnet } from './subnets.ts'
import { setSysctls } from './sysctl.ts'

/** Options of bridge networks that are acted on, in Docker's names. */
export const BRIDGE_OPTION = {
  name: 'com.docker.network.bridge.name',
  icc: 'com.docker.network.bridge.enable_icc',
  masquerade: 'com.docker.network.bridge.enable_ip_masquerade',
  hostIp: 'com.docker.network.bridge.host_binding_ipv4',
  mtu: 'com.docker.network.driver.mtu',
} as const

/** A network record that is surely a bridge. */
export type BridgeRecord = NetworkRecord & Required<Pick<NetworkRecord, 'link' | 'subnet' | 'gateway'>>

export function isBridge(record: NetworkRecord): record is BridgeRecord {
  return record.driver === 'bridge' && record.link !== undefined && record.subnet !== undefined
}

/**
 * Makes a network's bridge with its address, or completes the one that is there. Containers on it are not
 * disturbed.
 */
export function ensureBridge(netlink: Netlink, record: BridgeRecord, log: Logger): void {
  const { link: name, gateway, subnet } = record
  const cidr = `${gateway}/${parseSubnet(subnet).prefix}`
  const mtu = mtuOf(netlink, record)
  const link = netlink.link(name) ?? netlink.createBridge(name, { mtu, mac: macOf(gateway) })
  // IPv6 is not served: without this, containers would reach this machine by its link-local address.
  setSysctls({ [`ipv6/conf/${name}/disable_ipv6`]: '1', [`ipv4/conf/${name}/route_localnet`]: '1' }, log)
  const addresses = netlink.addresses(link).filter((address) => address.family === 'ipv4')
  for (const address of addresses) {
    if (address.cidr !== cidr) netlink.deleteAddress(link, address.cidr)
  }
  if (!addresses.some((address) => address.cidr === cidr)) netlink.addAddress(link, cidr)
  if (!link.up) netlink.setUp(link)
}

/** The option, or that of the device that leads to the internet: larger packets would get lost on the way. */
export function mtuOf(netlink: Netlink, record: NetworkRecord): number {
  const wanted = Number(record.options[BRIDGE_OPTION.mtu])
  if (Number.isInteger(wanted) && wanted >= 576 && wanted <= 65_535) return wanted
  const out = netlink.routes().find((route) => route.to === 'default' && route.family === 'ipv4')
  return (out?.linkIndex !== undefined && netlink.link(out.linkIndex)?.mtu) || 1500
}

export function rulesOf(record: BridgeRecord): BridgeRules {
  return {
    link: record.link,
    subnet: record.subnet,
    internal: record.internal,
    masquerade: record.options[BRIDGE_OPTION.masquerade] !== 'false',
  }
}

/** IPv4 networks that this machine has addresses in or routes to, but for those of the links `except`. */
export function hostSubnets(netlink: Netlink, except: (link: string) => boolean = () => false): Subnet[] {
  const ours = new Set(netlink.links().flatMap((link) => (except(link.name) ? [link.index] : [])))
  const addresses = netlink.addresses().filter((one) => one.family === 'ipv4' && !ours.has(one.linkIndex))
  const routes = netlink
    .routes()
    .filter((one) => one.family === 'ipv4' && one.to !== 'default' && !ours.has(one.linkIndex ?? -1))
  return [...addresses.map((one) => one.cidr), ...routes.map((one) => one.to)].map(parseSubnet)
}

export function isFree(subnet: Subnet, used: Subnet[]): boolean {
  return !used.some((one) => overlaps(one, subnet))
}
