import {
  conflict,
  denied,
  type EndpointSettings,
  type Events,
  failed,
  invalid,
  type NetworkCreate,
  type NetworkInspect,
  type Networks,
  notFound,
} from '@kernel/contracts'
import { KeyedMutex } from '@kernel/state'
import { booleanFilter, checkFilters, type Filters, matches, matchesLabels } from '../filters.ts'
import type { NetworkMaker } from './network-maker.ts'
import type { NetworkStore } from './network-store.ts'
import type { NetworkRecord } from './records.ts'
import { checkEndpoint, hostNetworkAlone } from './sandbox-plan.ts'
import type { SandboxManager } from './sandboxes.ts'
import { parseSubnet } from './subnets.ts'

const LIST_FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type']
const PRUNE_FILTERS = ['label', 'label!', 'until']

/** The `Networks` service. */
export function createNetworksService(options: {
  store: NetworkStore
  maker: NetworkMaker
  sandboxes: SandboxManager
  events: Events
}): Networks {
  const { store, maker, sandboxes, events } = options
  const mutex = new KeyedMutex()

  function publish(action: string, record: NetworkRecord): void {
    const Attributes = { name: record.name, type: record.driver }
    events.publish({ Type: 'network', Action: action, Actor: { ID: record.id, Attributes } })
  }

  function inspect(record: NetworkRecord): NetworkInspect {
    const members = sandboxes.members(record.id).map(({ record: box, endpoint }) => {
      const IPv4Address =
        endpoint.address && record.subnet ? `${endpoint.address}/${parseSubnet(record.subnet).prefix}` : ''
      const shown = {
        Name: box.name,
        EndpointID: endpoint.id,
        MacAddress: endpoint.mac,
        IPv4Address,
        IPv6Address: '',
      }
      return [box.containerId, shown] as const
    })
    return {
      Name: record.name,
      Id: record.id,
      Created: record.created,
      Scope: 'local',
      Driver: record.driver,
      EnableIPv4: true,
      EnableIPv6: false,
      IPAM: {
        Driver: 'default',
        Options: record.ipamOptions,
        Config: record.subnet
          ? [
              {
                Subnet: record.subnet,
                ...(record.ipRange !== undefined && { IPRange: record.ipRange }),
                Gateway: record.gateway,
              },
            ]
          : [],
      },
      Internal: record.internal,
      Attachable: record.attachable,
      Ingress: false,
      Containers: Object.fromEntries(members),
      Options: record.options,
      Labels: record.labels,
    }
  }

  /** Also containers that are stopped: they will come back to it. */
  function users(record: NetworkRecord): string[] {
    const stopped = sandboxes
      .listContainers()
      .filter(({ endpoints }) => Object.hasOwn(endpoints, record.name) || Object.hasOwn(endpoints, record.id))
    return [
      ...stopped.map((one) => one.id),
      ...sandboxes.members(record.id).map((one) => one.record.containerId),
    ]
  }

  function findContainer(ref: string) {
    const all = sandboxes.listContainers()
    const name = ref.replace(/^\//, '')
    const found =
      all.find((one) => one.id === name) ??
      all.find((one) => one.name === name) ??
      all.find((one) => name !== '' && one.id.startsWith(name))
    if (!found) throw notFound(`No such container: ${ref}`)
    return found
  }

  async function remove(record: NetworkRecord): Promise<void> {
    if (record.predefined) throw denied(`${record.name} is a pre-defined network and cannot be removed`)
    const active = sandboxes.members(record.id)
    if (active.length > 0) {
      const list = active.map(({ record: box }) => `name:"${box.name}" id:"${box.containerId.slice(0, 12)}"`)
      throw denied(
        `error while removing network: network ${record.name} has active endpoints (${list.join(', ')})`,
        { hint: 'Stop these containers, or disconnect them' },
      )
    }
    await maker.remove(record)
    publish('destroy', record)
  }

  return {
    create: (body) =>
      mutex.run('create', async () => {
        if (body.Name && store.byName(body.Name))
          throw conflict(`network with name ${body.Name} already exists`)
        const warning = checkCreate(body)
        const record = await maker.create(body)
        publish('create', record)
        return { id: record.id, warning }
      }),

    async list(request = {}) {
      const filters = checkFilters(request.filters, LIST_FILTERS)
      const dangling = booleanFilter(filters, 'dangling')
      return store
        .all()
        .filter((record) => passes(record, filters))
        .filter(
          (record) =>
            dangling === undefined || dangling === (!record.predefined && users(record).length === 0),
        )
        .map(inspect)
    },

    async inspect(ref) {
      return inspect(store.find(ref))
    },

    async remove(ref) {
      const { id } = store.find(ref)
      await mutex.run(id, () => remove(store.find(id)))
    },

    async connect(ref, container, endpoint = {}) {
      const network = store.find(ref)
      const target = findContainer(container)
      checkEndpoint(network, endpoint)
      if (Object.hasOwn(target.endpoints, 'host') || network.driver !== 'bridge') throw hostNetworkAlone()
      if (Object.hasOwn(target.endpoints, network.name) && !target.running) {
        throw denied(`endpoint with name ${target.name} already exists in network ${network.name}`)
      }
      const settings: EndpointSettings = target.running
        ? await sandboxes.attach(target.id, network, endpoint)
        : endpoint
      await sandboxes.endpointChanged(target.id, network.name, settings, sandboxes.files(target.id))
    },

    async disconnect(ref, container, request = {}) {
      const network = store.find(ref)
      if (network.driver === 'host') throw hostNetworkAlone()
      const member = sandboxes.members(network.id).find(({ record }) => record.containerId === container)
      const target =
        request.force && member
          ? { id: member.record.containerId, running: true, endpoints: {} }
          : findContainer(container)
      const left = target.running && (await sandboxes.detach(target.id, network.id))
      if (!left && !Object.hasOwn(target.endpoints, network.name)) {
        throw failed(`container ${target.id} is not connected to network ${network.name}`)
      }
      await sandboxes.endpointChanged(target.id, network.name, undefined, sandboxes.files(target.id))
    },

    async prune(request = {}) {
      const filters = checkFilters(request.filters, PRUNE_FILTERS)
      const before = untilFilter(filters)
      const deleted: string[] = []
      for (const record of store.all()) {
        if (record.predefined || !matchesLabels(filters, record.labels)) continue
        if (Date.parse(record.created) > before) continue
        await mutex.run(record.id, async () => {
          if (!store.get(record.id) || users(record).length > 0) return
          await remove(record)
          deleted.push(record.name)
        })
      }
      const Actor = { ID: '', Attributes: { reclaimed: '0' } }
      events.publish({ Type: 'network', Action: 'prune', Actor })
      return { deleted }
    },
  }
}

function passes(record: NetworkRecord, filters: Filters): boolean {
  return (
    matches(filters, 'name', (wanted) => record.name.includes(wanted)) &&
    matches(filters, 'id', (wanted) => record.id.startsWith(wanted)) &&
    matches(filters, 'driver', (wanted) => record.driver === wanted) &&
    matches(filters, 'scope', (wanted) => wanted === 'local') &&
    matches(filters, 'type', (wanted) => typeMatches(record, wanted)) &&
    matchesLabels(filters, record.labels)
  )
}

function typeMatches(record: NetworkRecord, wanted: string): boolean {
  if (wanted !== 'custom' && wanted !== 'builtin') throw invalid(`invalid filter: 'type'='${wanted}'`)
  return (wanted === 'builtin') === record.predefined
}

/** `until=2026-01-31T10:00:00Z`, seconds since 1970, or `until=24h`: ago. In ms since 1970. */
function untilFilter(filters: Filters): number {
  const [text, another] = filters.until ?? []
  if (text === undefined) return Number.POSITIVE_INFINITY
  const ago = /^(\d+h)?(\d+m)?(\d+s)?$/.exec(text)
  const unit = { h: 3_600_000, m: 60_000, s: 1000 } as const
  const parts = (ago?.slice(1) ?? []).filter(Boolean)
  const time =
    parts.length > 0
      ? Date.now() -
        parts.reduce((sum, part) => sum + Number.parseInt(part, 10) * unit[part.at(-1) as 'h'], 0)
      : /^\d+(\.\d+)?$/.test(text)
        ? Number(text) * 1000
        : Date.parse(text)
  if (Number.isNaN(time) || another !== undefined) throw invalid(`invalid filter 'until=${text}'`)
  return time
}

/** What can be said before anything is made. Answers a warning, or nothing. */
function checkCreate(body: NetworkCreate): string {
  const { Name, Driver = '', IPAM, EnableIPv6 } = body
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(Name ?? '')) {
    throw invalid(`invalid network name "${Name ?? ''}": only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`)
  }
  if (Driver === 'host' || Driver === 'null')
    throw denied(`only one instance of "${Driver}" network is allowed`)
  if (!['', 'default', 'bridge'].includes(Driver)) {
    throw notFound(`could not find plugin ${Driver} in v1 plugin registry: plugin not found`, {
      hint: 'Networks of this engine are bridges: leave the driver out',
    })
  }
  if (IPAM?.Driver && IPAM.Driver !== 'default') {
    throw notFound(`could not find plugin ${IPAM.Driver} in v1 plugin registry: plugin not found`)
  }
  return EnableIPv6 ? 'IPv6 is not served: the network has IPv4 addresses only' : ''
}
