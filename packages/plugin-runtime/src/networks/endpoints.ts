import { randomBytes } from 'node:crypto'
import type { EndpointSettings, Events } from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import type { Netlink } from '@kernel/sys'
import { ensureBridge, isBridge } from './bridges.ts'
import type { InstanceNames } from './names.ts'
import { nextDevice, plug } from './namespace.ts'
import type { NetworkStore } from './network-store.ts'
import type { EndpointRecord, NetworkRecord } from './records.ts'
import { dnsNames } from './sandbox-plan.ts'
import { macOf, parseSubnet } from './subnets.ts'

export interface EndpointContext {
  store: NetworkStore
  netlink: Netlink
  names: InstanceNames
  events: Events
  log: Logger
}

/** What an endpoint has to know of its container. */
interface Container {
  containerId: string
  name: string
  hostname: string
}

/** Makes the record of an endpoint, and takes its address. @throws as `AddressPool.allocate` */
export function newEndpoint(
  context: EndpointContext,
  container: Container,
  network: NetworkRecord,
  settings: EndpointSettings,
  others: EndpointRecord[],
): EndpointRecord {
  const id = randomBytes(32).toString('hex')
  const plain = { id, networkId: network.id, settings }
  if (!isBridge(network)) return { ...plain, veth: '', device: '', address: '', mac: '', names: [] }
  const address = context.store.pool(network.id).allocate(settings.IPAMConfig?.IPv4Address || undefined)
  return {
    ...plain,
    veth: context.names.vethOf(id),
    device: nextDevice(others),
    address,
    mac: askedMac(settings) ?? macOf(address),
    names: dnsNames(container, settings),
  }
}

/** What inspect showed of an earlier run may come back as a wish: a MAC that followed from the IP is none. */
function askedMac({ MacAddress, IPAddress }: EndpointSettings): string | undefined {
  const mac = MacAddress?.toLowerCase().replaceAll('-', ':')
  return mac && !(IPAddress && mac === macOf(IPAddress)) ? mac : undefined
}

/** Makes the devices of an endpoint. */
export function connectEndpoint(
  context: EndpointContext,
  netns: string,
  endpoint: EndpointRecord,
  defaultRoute: boolean,
): void {
  const network = context.store.get(endpoint.networkId)
  if (!network || !isBridge(network)) return
  // Someone may have removed the bridge by hand.
  if (!context.netlink.link(network.link)) ensureBridge(context.netlink, network, context.log)
  plug(context.netlink, netns, endpoint, network, { defaultRoute })
}

export function releaseAddress(context: EndpointContext, endpoint: EndpointRecord): void {
  if (endpoint.address && context.store.get(endpoint.networkId)) {
    context.store.pool(endpoint.networkId).release(endpoint.address)
  }
}

/** The endpoint as inspect shows it. */
export function settingsOf(endpoint: EndpointRecord, network: NetworkRecord): EndpointSettings {
  const { settings } = endpoint
  const bridge = isBridge(network)
  return {
    IPAMConfig: settings.IPAMConfig ?? null,
    Links: settings.Links ?? null,
    Aliases: settings.Aliases ?? null,
    DriverOpts: settings.DriverOpts ?? null,
    NetworkID: network.id,
    EndpointID: endpoint.id,
    MacAddress: endpoint.mac,
    Gateway: bridge && !network.internal ? network.gateway : '',
    IPAddress: endpoint.address,
    IPPrefixLen: bridge ? parseSubnet(network.subnet).prefix : 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: bridge && !network.predefined ? endpoint.names : null,
  }
}

/** Tells the world that a container joined or left a network. */
export function announce(
  context: EndpointContext,
  action: 'connect' | 'disconnect',
  container: string,
  networkId: string,
): void {
  const network = context.store.get(networkId)
  if (!network) return
  const Attributes = { container, name: network.name, type: network.driver }
  context.events.publish({ Type: 'network', Action: action, Actor: { ID: network.id, Attributes } })
}
