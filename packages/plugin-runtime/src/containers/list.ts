/** Which containers a list or a prune is about: Docker's filters. @module */
import type { ContainerSummary } from '@kernel/contracts'
import { invalid } from '@kernel/contracts'
import { booleanFilter, checkFilters, type Filters, matches, matchesLabels } from '../filters.ts'
import type { Engine } from './engine.ts'
import { type ContainerRecord, isRunning } from './record.ts'
import { networksOf, summaryOf } from './summary.ts'

const KNOWN = [
  'ancestor',
  'before',
  'expose',
  'exited',
  'health',
  'id',
  'isolation',
  'is-task',
  'label',
  'label!',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
]
const STATUSES = ['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead']

export interface ListOptions {
  all?: boolean
  limit?: number
  size?: boolean
  filters?: Filters
}

/** Newest first. @throws invalid on an unknown filter or value; not-found where `before` or `since` name nothing */
export async function listContainers(engine: Engine, options: ListOptions = {}): Promise<ContainerSummary[]> {
  const filters = checkFilters(options.filters, KNOWN)
  const test = await recordFilter(engine, filters)
  // A status that is asked for, or a limit, means stopped ones, too.
  const all = options.all || (options.limit ?? 0) > 0 || 'status' in filters || 'exited' in filters
  const chosen = engine.registry
    .all()
    .filter((record) => (all || isRunning(record) || record.status === 'restarting') && test(record))
    .toSorted((a, b) => (a.created < b.created ? 1 : -1))
    .slice(0, options.limit && options.limit > 0 ? options.limit : undefined)
  const at = Date.now()
  const names = new Map<string, string>()
  return Promise.all(
    chosen.map(async (record) => {
      const asked = record.config.Image
      const key = `${asked} ${record.image}`
      let shown = names.get(key)
      if (shown === undefined) {
        const still = await engine.images.resolve(asked).catch(() => undefined)
        shown = still?.id === record.image ? asked : record.image
        names.set(key, shown)
      }
      const summary = summaryOf(record, shown, at)
      if (!options.size) return summary
      return { ...summary, ...(await sizesOf(engine, record)) }
    }),
  )
}

/** Bytes of the writable layer, and together with the image. */
export async function sizesOf(
  engine: Engine,
  record: ContainerRecord,
): Promise<{ SizeRw: number; SizeRootFs: number }> {
  const SizeRw = await engine.snapshots.usage(record.id)
  const image = await engine.images.resolve(record.image).catch(() => undefined)
  return { SizeRw, SizeRootFs: SizeRw + (image?.size ?? 0) }
}

async function recordFilter(engine: Engine, filters: Filters): Promise<(record: ContainerRecord) => boolean> {
  for (const status of filters.status ?? [])
    if (!STATUSES.includes(status)) throw invalid(`invalid filter 'status=${status}'`)
  for (const code of filters.exited ?? [])
    if (!/^-?\d+$/.test(code)) throw invalid(`invalid filter 'exited=${code}'`)
  booleanFilter(filters, 'is-task')
  const edge = (name: 'before' | 'since') => {
    const ref = filters[name]?.at(-1)
    return ref === undefined ? undefined : engine.registry.resolve(ref).created
  }
  const before = edge('before')
  const since = edge('since')
  const ancestors = new Set<string>()
  for (const ref of filters.ancestor ?? []) {
    const image = await engine.images.resolve(ref).catch(() => undefined)
    if (image) ancestors.add(image.id)
  }
  return (record) =>
    matches(filters, 'id', (wanted) => record.id.startsWith(wanted)) &&
    matches(filters, 'name', (wanted) => matchesName(record.name, wanted)) &&
    matches(filters, 'status', (wanted) => record.status === wanted) &&
    matches(
      filters,
      'exited',
      (wanted) => !isRunning(record) && record.status !== 'created' && record.exitCode === Number(wanted),
    ) &&
    matches(filters, 'health', (wanted) => (record.health?.Status ?? 'none') === wanted) &&
    matches(filters, 'ancestor', (wanted) => ancestors.has(record.image) || record.config.Image === wanted) &&
    matches(filters, 'volume', (wanted) =>
      record.mounts.some(({ Name, Destination }) => Name === wanted || Destination === wanted),
    ) &&
    matches(filters, 'network', (wanted) => isOnNetwork(record, wanted)) &&
    matches(filters, 'expose', (wanted) =>
      Object.keys(record.config.ExposedPorts ?? {}).some((port) => portMatches(port, wanted)),
    ) &&
    matches(filters, 'publish', (wanted) =>
      Object.keys(record.sandbox?.ports ?? record.hostConfig.PortBindings ?? {}).some((port) =>
        portMatches(port, wanted),
      ),
    ) &&
    matchesLabels(filters, record.config.Labels) &&
    (before === undefined || record.created < before) &&
    (since === undefined || record.created > since)
}

/** A regular expression over the name, with or without its slash; what is none is looked for as it stands. */
function matchesName(name: string, wanted: string): boolean {
  try {
    const pattern = new RegExp(wanted)
    return pattern.test(name) || pattern.test(`/${name}`)
  } catch {
    return name.includes(wanted)
  }
}

function isOnNetwork(record: ContainerRecord, wanted: string): boolean {
  return Object.entries(networksOf(record)).some(
    ([name, { NetworkID }]) =>
      name === wanted || (NetworkID !== undefined && wanted !== '' && NetworkID.startsWith(wanted)),
  )
}

/** `80`, `80/tcp`, `8000-8080/tcp` against `80/tcp`. */
function portMatches(port: string, wanted: string): boolean {
  const [number = '', protocol = 'tcp'] = port.split('/')
  const [range = '', wantedProtocol = 'tcp'] = wanted.split('/')
  const [from = '', to = from] = range.split('-')
  return protocol === wantedProtocol && Number(number) >= Number(from) && Number(number) <= Number(to)
}

const PRUNE_FILTERS = ['until', 'label', 'label!']

/** The stopped containers that a prune takes. @throws invalid */
export function prunable(engine: Engine, given: Filters | undefined): ContainerRecord[] {
  const filters = checkFilters(given, PRUNE_FILTERS)
  const until = filters.until?.at(-1)
  const limit = until === undefined ? undefined : untilTime(until, Date.now())
  return engine.registry
    .all()
    .filter(
      (record) =>
        ['created', 'exited', 'dead'].includes(record.status) &&
        matchesLabels(filters, record.config.Labels) &&
        (limit === undefined || Date.parse(record.created) < limit),
    )
}

/** A time (RFC 3339, seconds since 1970) or a Go duration before now. @returns milliseconds since 1970 */
export function untilTime(text: string, at: number): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)/g)]
  if (parts.length > 0 && parts.map(([all]) => all).join('') === text) {
    const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 1e-3, ns: 1e-6 }
    return at - parts.reduce((sum, [, value, unit = 's']) => sum + Number(value) * (units[unit] ?? 0), 0)
  }
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw invalid(`invalid filter 'until=${text}'`)
  return time
}
