import {
  type ContainerConfig,
  denied,
  type EndpointSettings,
  type HostConfig,
  invalid,
  type PortBinding,
} from '@kernel/contracts'
import type { SandboxRequest } from '../parts.ts'
import { BRIDGE_OPTION, isBridge } from './bridges.ts'
import { extraHosts } from './host-files.ts'
import type { NetworkStore } from './network-store.ts'
import { knownPorts, type PortRequest, portRequests } from './port-requests.ts'
import type { NetworkRecord, PublishedPort } from './records.ts'

/** What a container asks of the network, with all names resolved and all rules checked. */
export interface SandboxPlan {
  /** `own`: a namespace of its own; `joined`: that of another container. */
  kind: 'own' | 'host' | 'joined'
  /** The container whose namespace is shared. */
  joins?: string
  /** The network of NetworkMode is the first. */
  networks: Array<{ network: NetworkRecord; settings: EndpointSettings }>
  ports: PortRequest[]
}

/** @throws not-found for a network, invalid for ports, addresses and hosts */
export function planSandbox(request: SandboxRequest, store: NetworkStore): SandboxPlan {
  const { config, hostConfig } = request
  const mode = networkMode(config, hostConfig)
  extraHosts(hostConfig, '127.0.0.1') // only checked here
  if (mode.startsWith('container:')) {
    return { kind: 'joined', joins: mode.slice('container:'.length), networks: [], ports: [] }
  }
  const main = store.find(mode)
  const networks = wantedNetworks(request, main, store)
  for (const { network, settings } of networks) checkEndpoint(network, settings)
  if (networks.some(({ network }) => network.driver === 'host')) {
    if (networks.length > 1) throw hostNetworkAlone()
    return { kind: 'host', networks, ports: [] }
  }
  const [first] = networks.filter(({ network }) => isBridge(network))
  const ports = first ? portRequests(config, hostConfig, first.network.options[BRIDGE_OPTION.hostIp]) : []
  return { kind: 'own', networks, ports }
}

/** `default` is Docker's other word for the bridge. */
export function networkMode(config: ContainerConfig, hostConfig: HostConfig): string {
  if (config.NetworkDisabled) return 'none'
  const mode = hostConfig.NetworkMode || 'default'
  return mode === 'default' ? 'bridge' : mode
}

function wantedNetworks(
  request: SandboxRequest,
  main: NetworkRecord,
  store: NetworkStore,
): SandboxPlan['networks'] {
  const recorded = Object.entries(request.endpoints).map(([name, settings]) => ({
    network: store.find(name === 'default' ? 'bridge' : name),
    settings: settings ?? {},
  }))
  if (recorded.length === 0 || main.driver !== 'bridge') {
    const settings = recorded.find((one) => one.network.id === main.id)?.settings ?? {}
    return [{ network: main, settings: withMac(settings, request.config) }]
  }
  const byId = new Map(recorded.map((one) => [one.network.id, one]))
  const first = byId.get(main.id)
  if (first) first.settings = withMac(first.settings, request.config)
  return [...(first ? [first] : []), ...[...byId.values()].filter((one) => one !== first)]
}

/** Up to API 1.43 the address of the card was a setting of the container. */
function withMac(settings: EndpointSettings, config: ContainerConfig): EndpointSettings {
  const mac = (config as { MacAddress?: string }).MacAddress
  return mac && !settings.MacAddress ? { ...settings, MacAddress: mac } : settings
}

/** @throws invalid where an endpoint asks for what its network does not have */
export function checkEndpoint(network: NetworkRecord, settings: EndpointSettings): void {
  const { IPAMConfig, Aliases, MacAddress } = settings
  if (IPAMConfig?.IPv4Address && network.predefined) {
    throw invalid('user specified IP address is supported on user defined networks only')
  }
  if (network.predefined && (Aliases ?? []).length > 0) {
    throw invalid('network-scoped alias is supported only for containers in user defined networks')
  }
  if (MacAddress && !/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(MacAddress)) {
    throw invalid(`invalid MAC address: ${MacAddress}`)
  }
}

export function hostNetworkAlone(): Error {
  return denied('container cannot be disconnected from host network or connected to host network')
}

/** The names that others on the network know a container by, without doubles. */
export function dnsNames(
  container: { containerId: string; name: string; hostname: string },
  settings: EndpointSettings,
): string[] {
  const short = container.containerId.slice(0, 12)
  const names = [container.name, ...(settings.Aliases ?? []), short, container.hostname]
  return [...new Set(names.filter(Boolean).map((name) => name.toLowerCase()))]
}

/** Ports as inspect shows them. */
export function portMapOf(
  config: ContainerConfig,
  hostConfig: HostConfig,
  published: PublishedPort[],
): Record<string, PortBinding[] | null> {
  const map: Record<string, PortBinding[] | null> = {}
  for (const port of knownPorts(config, hostConfig)) {
    const bindings = published.filter((one) => `${one.containerPort}/${one.protocol}` === port)
    map[port] =
      bindings.length > 0
        ? bindings.map((one) => ({ HostIp: one.hostIp, HostPort: `${one.hostPort}` }))
        : null
  }
  return map
}
