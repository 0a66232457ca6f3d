import path from 'node:path'
import {
  conflict,
  denied,
  type EndpointSettings,
  type Events,
  failed,
  invalid,
  notFound,
  type Problem,
  problemOf,
} from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { type Collection, KeyedMutex } from '@kernel/state'
import { deleteNetns, type Netlink } from '@kernel/sys'
import type { Sandboxes, SandboxRequest, SandboxResult } from '../parts.ts'
import { isBridge } from './bridges.ts'
import {
  announce,
  connectEndpoint,
  type EndpointContext,
  newEndpoint,
  releaseAddress,
  settingsOf,
} from './endpoints.ts'
import type { Firewall } from './firewall.ts'
import type { InstanceNames } from './names.ts'
import { makeNamespace, routeBy } from './namespace.ts'
import type { NetworkStore } from './network-store.ts'
import type { PortHolds } from './port-holds.ts'
import type { EndpointRecord, NetworkRecord, SandboxRecord } from './records.ts'
import { hostsWith, hostsWithout, resolvConfWithNames, writeFiles } from './sandbox-files.ts'
import { addressesOn, LiveSandboxes, type Sandbox } from './sandbox-live.ts'
import { checkEndpoint, dnsNames, planSandbox, portMapOf, type SandboxPlan } from './sandbox-plan.ts'
import { sweepRemains } from './sweep.ts'

export interface SandboxContext {
  store: NetworkStore
  records: Collection<SandboxRecord>
  netlink: Netlink
  firewall: Firewall
  holds: PortHolds
  names: InstanceNames
  events: Events
  log: Logger
}

/** Running containers on their networks. Implements what containers/ sees, and what the networks ask of it. */
export class SandboxManager implements Sandboxes {
  private readonly context: SandboxContext & EndpointContext
  private readonly mutex = new KeyedMutex()
  private readonly sandboxes = new Map<string, Sandbox>()
  private readonly live: LiveSandboxes
  /** Set by containers/: who is recorded on which networks, also when stopped. */
  listContainers: Parameters<Sandboxes['setContainers']>[0] = () => []
  endpointChanged: Parameters<Sandboxes['onEndpointChange']>[0] = async () => {}

  constructor(context: SandboxContext) {
    this.context = context
    this.live = new LiveSandboxes({
      ...context,
      sandboxOf: (ref) => this.find(ref)?.record,
      paused: (networkId) => this.pausedAddresses(networkId),
    })
    // Until restore() tells who still runs, all that is recorded is held to be in use.
    for (const record of context.records.list()) {
      const sandbox: Sandbox = { record, rules: this.live.rulesFor(record) }
      this.sandboxes.set(record.containerId, sandbox)
      for (const { address, networkId } of record.endpoints) {
        if (address && context.store.get(networkId)) context.store.pool(networkId).mark(address)
      }
    }
  }

  private pausedAddresses(networkId: string): Set<string> {
    const paused = this.listContainers().filter((container) => container.paused)
    return new Set(paused.flatMap(({ id }) => addressesOn(this.sandboxes.get(id)?.record, networkId)))
  }

  setContainers(list: Parameters<Sandboxes['setContainers']>[0]): void {
    this.listContainers = list
  }

  onEndpointChange(handler: Parameters<Sandboxes['onEndpointChange']>[0]): void {
    this.endpointChanged = handler
  }

  async validate(request: SandboxRequest): Promise<void> {
    planSandbox(request, this.context.store)
  }

  up(request: SandboxRequest): Promise<SandboxResult> {
    return this.mutex.run(request.containerId, async () => {
      const old = this.sandboxes.get(request.containerId)
      if (old) await this.tearDown(old)
      const plan = planSandbox(request, this.context.store)
      if (plan.kind === 'joined') return this.join(request, plan.joins ?? '')
      return this.build(request, plan)
    })
  }

  down(containerId: string): Promise<void> {
    return this.mutex.run(containerId, async () => {
      const sandbox = this.sandboxes.get(containerId)
      if (sandbox) await this.tearDown(sandbox)
    })
  }

  async restore(running: Parameters<Sandboxes['restore']>[0]): Promise<void> {
    const alive = new Set(running.map((one) => one.containerId))
    for (const { containerId } of running) {
      if (!this.sandboxes.has(containerId)) {
        this.context.log.warn(
          `container ${containerId.slice(0, 12)} runs, but its network is not on record`,
          {
            hint: 'Restart the container',
          },
        )
      }
    }
    for (const sandbox of [...this.sandboxes.values()]) {
      const { containerId } = sandbox.record
      await this.mutex.run(containerId, async () => {
        if (alive.has(containerId)) this.revive(sandbox)
        else await this.tearDown(sandbox)
      })
    }
    this.sweep()
  }

  async rename(containerId: string, name: string): Promise<void> {
    const sandbox = this.sandboxes.get(containerId)
    if (!sandbox) return
    const { record } = sandbox
    record.name = name
    for (const endpoint of record.endpoints.filter((one) => one.address)) {
      this.live.forget(endpoint)
      endpoint.names = dnsNames(record, endpoint.settings)
      this.live.introduce(endpoint)
    }
    this.context.records.put(containerId, record)
  }

  /** A running container joins a network. @throws denied where it is on it already */
  attach(containerId: string, network: NetworkRecord, settings: EndpointSettings): Promise<EndpointSettings> {
    return this.mutex.run(containerId, async () => {
      const sandbox = this.must(containerId)
      const { record } = sandbox
      checkEndpoint(network, settings)
      if (record.endpoints.some((one) => one.networkId === network.id)) {
        throw denied(`endpoint with name ${record.name} already exists in network ${network.name}`)
      }
      if (!record.netns || record.joined || !isBridge(network)) throw sharedNamespace()
      const endpoint = newEndpoint(this.context, record, network, settings, record.endpoints)
      record.endpoints.push(endpoint)
      try {
        this.context.records.put(containerId, record)
        connectEndpoint(this.context, record.netns, endpoint, this.live.gateway(record) === endpoint)
        this.live.introduce(endpoint)
        if (this.live.hasNames(endpoint)) {
          record.dns = true
          record.resolvConf = resolvConfWithNames(record.resolvConf)
        }
        record.hosts = hostsWith(record.hosts, endpoint.address, record.hostname)
        this.live.startDns(sandbox)
        await this.live.publish(sandbox)
        this.context.records.put(containerId, record)
      } catch (error) {
        await this.unplug(sandbox, endpoint)
        throw error
      }
      announce(this.context, 'connect', containerId, network.id)
      return settingsOf(endpoint, network)
    })
  }

  /** A running container leaves a network; answers whether it was on it. */
  detach(containerId: string, networkId: string): Promise<boolean> {
    return this.mutex.run(containerId, async () => {
      const sandbox = this.must(containerId)
      const endpoint = sandbox.record.endpoints.find((one) => one.networkId === networkId)
      if (!endpoint) return false
      await this.unplug(sandbox, endpoint)
      announce(this.context, 'disconnect', containerId, networkId)
      return true
    })
  }

  /** Contents of /etc/hosts and /etc/resolv.conf as they are to be now. */
  files(containerId: string): Pick<SandboxResult, 'hosts' | 'resolvConf'> | undefined {
    const record = this.sandboxes.get(containerId)?.record
    return record && { hosts: record.hosts, resolvConf: record.resolvConf }
  }

  /** Who is on a network and runs. */
  members(networkId: string): Array<{ record: SandboxRecord; endpoint: EndpointRecord }> {
    return [...this.sandboxes.values()].flatMap(({ record }) =>
      record.endpoints.filter((one) => one.networkId === networkId).map((endpoint) => ({ record, endpoint })),
    )
  }

  /** All port rules, for the table that is made at the start. */
  rules(): Sandbox['rules'] {
    return [...this.sandboxes.values()].flatMap((sandbox) => sandbox.rules)
  }

  /** Lets go of sockets; containers stay connected. */
  close(): void {
    for (const sandbox of this.sandboxes.values()) sandbox.dns?.close()
    this.context.holds.close()
  }

  /** Takes down everything, for tests and for removing the product. */
  async purge(): Promise<void> {
    for (const sandbox of [...this.sandboxes.values()]) await this.down(sandbox.record.containerId)
    this.sweep()
  }

  private async build(request: SandboxRequest, plan: SandboxPlan): Promise<SandboxResult> {
    const { containerId, name, hostname, config, hostConfig } = request
    const record: SandboxRecord = {
      containerId,
      name,
      hostname,
      ...(plan.kind === 'own' && { netns: path.join(this.context.names.netnsDir, containerId) }),
      endpoints: [],
      ports: [],
      portMap: {},
      dnsServers: hostConfig.Dns ?? [],
      dns: false,
      hosts: '',
      resolvConf: '',
    }
    const sandbox: Sandbox = { record, rules: [] }
    this.sandboxes.set(containerId, sandbox)
    try {
      for (const { network, settings } of plan.networks) {
        record.endpoints.push(newEndpoint(this.context, record, network, settings, record.endpoints))
      }
      this.takePorts(record, plan)
      record.portMap = portMapOf(config, hostConfig, record.ports)
      writeFiles(record, request, {
        store: this.context.store,
        live: this.live,
        find: (ref) => this.find(ref)?.record,
      })
      // On record before it exists: whatever happens next, a restart knows what to remove.
      this.context.records.put(containerId, record)
      this.makeDevices(record)
      for (const endpoint of record.endpoints) this.live.introduce(endpoint)
      this.live.startDns(sandbox)
      await this.live.publish(sandbox)
    } catch (error) {
      await this.tearDown(sandbox, { silent: true })
      throw error
    }
    for (const { networkId } of record.endpoints) announce(this.context, 'connect', containerId, networkId)
    return this.resultOf(record)
  }

  /** @throws failed in Docker's words */
  private takePorts(record: SandboxRecord, plan: SandboxPlan): void {
    try {
      for (const port of plan.ports) record.ports.push(this.context.holds.take(port))
    } catch (error) {
      const problem = problemOf(error) as Problem
      const where = `driver failed programming external connectivity on endpoint ${record.name}`
      throw failed(`${where}: ${(error as Error).message}`, { hint: problem?.hint, cause: error })
    }
  }

  private makeDevices(record: SandboxRecord): void {
    if (record.netns === undefined) return
    makeNamespace(record.netns, this.context.log)
    const gateway = this.live.gateway(record)
    for (const endpoint of record.endpoints) {
      connectEndpoint(this.context, record.netns, endpoint, endpoint === gateway)
    }
  }

  private join(request: SandboxRequest, ref: string): SandboxResult {
    const target = this.find(ref)?.record
    if (!target) {
      const known = this.listContainers().some(
        (one) => one.id === ref || one.name === ref || one.id.startsWith(ref),
      )
      if (known) throw conflict(`cannot join network of a non running container: ${ref}`)
      throw notFound(`No such container: ${ref}`)
    }
    if (target.joined)
      throw conflict(`cannot join network of a container which shares another's network: ${ref}`)
    const { netns, hosts, resolvConf, containerId } = target
    const record: SandboxRecord = {
      ...{ containerId: request.containerId, name: request.name, hostname: target.hostname },
      ...(netns !== undefined && { netns }),
      joined: containerId,
      ...{ endpoints: [], ports: [], portMap: {}, dnsServers: [], dns: false, hosts, resolvConf },
    }
    this.sandboxes.set(request.containerId, { record, rules: [] })
    this.context.records.put(request.containerId, record)
    return this.resultOf(record)
  }

  private async tearDown(sandbox: Sandbox, options: { silent?: boolean } = {}): Promise<void> {
    const { record } = sandbox
    try {
      await this.live.stop(sandbox)
    } catch (error) {
      this.context.log.warn(`published ports of ${record.name} could not be closed`, {
        error: (error as Error).message,
      })
    }
    // The kernel takes the devices down in its own time, both ends.
    if (record.netns !== undefined && !record.joined) deleteNetns(record.netns)
    for (const endpoint of record.endpoints) releaseAddress(this.context, endpoint)
    this.context.records.delete(record.containerId)
    if (this.sandboxes.get(record.containerId) === sandbox) this.sandboxes.delete(record.containerId)
    if (options.silent) return
    for (const { networkId } of record.endpoints) {
      announce(this.context, 'disconnect', record.containerId, networkId)
    }
  }

  private async unplug(sandbox: Sandbox, endpoint: EndpointRecord): Promise<void> {
    const { record } = sandbox
    const wasGateway = this.live.gateway(record) === endpoint
    record.endpoints = record.endpoints.filter((one) => one !== endpoint)
    record.hosts = hostsWithout(record.hosts, endpoint.address)
    this.context.records.put(record.containerId, record)
    this.live.forget(endpoint)
    if (endpoint.veth) this.context.netlink.deleteLink(endpoint.veth)
    releaseAddress(this.context, endpoint)
    const gateway = this.live.gateway(record)
    const network = gateway && this.context.store.get(gateway.networkId)
    if (wasGateway && gateway && record.netns && network && isBridge(network)) {
      routeBy(record.netns, gateway, network)
    }
    await this.live.publish(sandbox)
  }

  /** What a restart of the daemon took away from a container that went on running. */
  private revive(sandbox: Sandbox): void {
    const { record } = sandbox
    for (const endpoint of record.endpoints) this.live.introduce(endpoint)
    const attempt = (what: string, fn: () => void) => {
      try {
        fn()
      } catch (error) {
        this.context.log.warn(`${what} of ${record.name} could not be restored`, {
          error: (error as Error).message,
        })
      }
    }
    attempt('the name server', () => this.live.startDns(sandbox))
    for (const port of record.ports) {
      attempt(`the hold on host port ${port.hostPort}`, () => this.context.holds.hold(port))
    }
  }

  private sweep(): void {
    const records = [...this.sandboxes.values()].map(({ record }) => record)
    sweepRemains(this.context, records)
  }

  private resultOf(record: SandboxRecord): SandboxResult {
    const endpoints: Record<string, EndpointSettings> = {}
    for (const endpoint of record.endpoints) {
      const network = this.context.store.get(endpoint.networkId)
      if (network) endpoints[network.name] = settingsOf(endpoint, network)
    }
    const { netns, portMap: ports, hosts, resolvConf } = record
    return { ...(netns !== undefined && { netns }), endpoints, ports, hosts, resolvConf }
  }

  private find(ref: string): Sandbox | undefined {
    const all = [...this.sandboxes.values()]
    const name = ref.replace(/^\//, '')
    return (
      this.sandboxes.get(ref) ??
      all.find(({ record }) => record.name === name) ??
      all.find(({ record }) => name !== '' && record.containerId.startsWith(name))
    )
  }

  private must(containerId: string): Sandbox {
    const sandbox = this.sandboxes.get(containerId)
    if (!sandbox) throw invalid(`container ${containerId} is not running`)
    return sandbox
  }
}

/** In Docker's words. */
export function sharedNamespace(): Error {
  return conflict(
    'container sharing network namespace with another container or host cannot be connected to any other network',
  )
}
