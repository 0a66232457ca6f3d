import type { Logger } from '@kernel/kernel'
import { forgetConnections } from '@kernel/sys'
import { isBridge } from './bridges.ts'
import { NameTable } from './dns/name-table.ts'
import { type DnsServer, serveDns } from './dns/server.ts'
import type { Firewall } from './firewall.ts'
import type { PortRule } from './firewall-rules.ts'
import { hostResolvConf } from './host-files.ts'
import type { NetworkStore } from './network-store.ts'
import type { PortHolds } from './port-holds.ts'
import type { EndpointRecord, SandboxRecord } from './records.ts'

/** A sandbox of this run of the daemon: the record, and what works for it here. */
export interface Sandbox {
  record: SandboxRecord
  dns?: DnsServer
  rules: PortRule[]
}

export interface LiveContext {
  store: NetworkStore
  firewall: Firewall
  holds: PortHolds
  log: Logger
  /** The container that a link (`db:alias`) names. */
  sandboxOf(ref: string): SandboxRecord | undefined
  /** Addresses of containers whose processes stand still. */
  paused(networkId: string): Set<string>
}

/** Names, name servers and published ports of running sandboxes. */
export class LiveSandboxes {
  private readonly context: LiveContext
  private readonly names = new NameTable()
  private upstream: { at: number; servers: string[] } = { at: 0, servers: [] }

  constructor(context: LiveContext) {
    this.context = context
  }

  /** The endpoint that carries the default route and the published ports: the first that leads out. */
  gateway(record: SandboxRecord): EndpointRecord | undefined {
    return record.endpoints.find((endpoint) => {
      const network = this.context.store.get(endpoint.networkId)
      return network && isBridge(network) && !network.internal
    })
  }

  rulesFor(record: SandboxRecord): PortRule[] {
    const gateway = this.gateway(record)
    return gateway ? record.ports.map((port) => ({ ...port, address: gateway.address })) : []
  }

  /** Lets others find an endpoint by its names. The default bridge has none, as Docker's. */
  introduce(endpoint: EndpointRecord): void {
    if (this.hasNames(endpoint)) this.names.add(endpoint.networkId, endpoint.names, endpoint.address)
  }

  forget(endpoint: EndpointRecord): void {
    this.names.remove(endpoint.networkId, endpoint.names, endpoint.address)
  }

  hasNames(endpoint: EndpointRecord): boolean {
    const network = this.context.store.get(endpoint.networkId)
    return network !== undefined && isBridge(network) && !network.predefined
  }

  /** Serves names in the sandbox's namespace, where that is wanted and not done. */
  startDns(sandbox: Sandbox): void {
    const { netns, dns } = sandbox.record
    if (!dns || !netns || sandbox.dns) return
    sandbox.dns = serveDns({
      netns,
      addresses: (name) => this.lookUp(sandbox.record, name),
      nameOf: (address) => this.reverse(sandbox.record, address),
      upstream: () => this.upstreamOf(sandbox.record),
    })
  }

  /** Brings the firewall to what the record says now. */
  async publish(sandbox: Sandbox): Promise<void> {
    const wanted = this.rulesFor(sandbox.record)
    const same = (a: PortRule, b: PortRule) => JSON.stringify(a) === JSON.stringify(b)
    const gone = sandbox.rules.filter((rule) => !wanted.some((one) => same(one, rule)))
    const fresh = wanted.filter((one) => !sandbox.rules.some((rule) => same(rule, one)))
    sandbox.rules = [...sandbox.rules.filter((rule) => !gone.includes(rule)), ...fresh]
    await this.shut(gone)
    await this.context.firewall.open(fresh)
  }

  /** A UDP client that goes on sending would be led to the old place for ever. */
  private async shut(rules: PortRule[]): Promise<void> {
    await this.context.firewall.shut(rules)
    const addresses = new Set(rules.filter((rule) => rule.protocol === 'udp').map((rule) => rule.address))
    for (const address of addresses) {
      try {
        forgetConnections(address, 'udp')
      } catch (error) {
        this.context.log.debug(`flows to ${address} were not forgotten`, { error: (error as Error).message })
      }
    }
  }

  /** Takes back everything. */
  async stop(sandbox: Sandbox): Promise<void> {
    sandbox.dns?.close()
    sandbox.dns = undefined
    for (const endpoint of sandbox.record.endpoints) this.forget(endpoint)
    const { rules } = sandbox
    sandbox.rules = []
    try {
      await this.shut(rules)
    } finally {
      for (const port of sandbox.record.ports) this.context.holds.release(port)
    }
  }

  private lookUp(record: SandboxRecord, name: string): string[] {
    const found: string[] = []
    for (const endpoint of record.endpoints.filter((one) => this.hasNames(one))) {
      const network = this.context.store.get(endpoint.networkId)
      const suffix = `.${network?.name.toLowerCase()}`
      const plain = name.endsWith(suffix) ? name.slice(0, -suffix.length) : name
      const addresses = this.names.addresses(endpoint.networkId, name)
      const named = addresses.length > 0 ? addresses : this.names.addresses(endpoint.networkId, plain)
      found.push(...this.awake(endpoint.networkId, named))
      const link = (endpoint.settings.Links ?? []).find(
        (one) => (one.split(':')[1] ?? one).toLowerCase() === name,
      )
      const target = link ? this.context.sandboxOf(link.split(':')[0] ?? '') : undefined
      found.push(...addressesOn(target, endpoint.networkId))
    }
    return [...new Set(found)]
  }

  /** One that stands still answers nobody: others of the name come before it. */
  private awake(networkId: string, addresses: string[]): string[] {
    if (addresses.length < 2) return addresses
    const paused = this.context.paused(networkId)
    const awake = addresses.filter((address) => !paused.has(address))
    return awake.length > 0 ? awake : addresses
  }

  private reverse(record: SandboxRecord, address: string): string | undefined {
    for (const { networkId } of record.endpoints) {
      const name = this.names.nameOf(networkId, address)
      if (name !== undefined) return `${name}.${this.context.store.get(networkId)?.name}`
    }
    return undefined
  }

  /** A container that is on internal networks only asks no one outside: a query is a way out too. */
  private upstreamOf(record: SandboxRecord): string[] {
    if (!this.gateway(record)) return []
    if (record.dnsServers.length > 0) return record.dnsServers
    if (Date.now() - this.upstream.at > 5000) {
      this.upstream = { at: Date.now(), servers: hostResolvConf().servers }
    }
    return this.upstream.servers
  }
}

/** Addresses of a sandbox on one network. */
export function addressesOn(record: SandboxRecord | undefined, networkId: string): string[] {
  const endpoints = record?.endpoints ?? []
  return endpoints.filter((one) => one.networkId === networkId && one.address).map((one) => one.address)
}
