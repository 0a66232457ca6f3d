import fs from 'node:fs'
import path from 'node:path'
import {
  type Events,
  invalid,
  type MountPoint,
  notFound,
  type VolumeInspect,
  type Volumes,
} from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { ensureDir, openDatabase } from '@kernel/state'
import { booleanFilter, checkFilters, type Filters, matches, matchesLabels } from '../filters.ts'
import type { VolumeMounts } from '../parts.ts'
import { diskUsage } from './disk-usage.ts'
import { resolveMounts } from './mounts.ts'
import { populateVolume } from './populate.ts'
import { ANONYMOUS_LABEL, noSuchVolume, openVolumeStore, type VolumeRecord, volumeInUse } from './store.ts'

export interface VolumesOptions {
  /** Holds `db/volumes.db` and `volumes/`. */
  dataDir: string
  log: Logger
  events: Events
}

/** The `Volumes` service, and what containers/ needs of it. */
export async function createVolumes(
  options: VolumesOptions,
): Promise<{ volumes: Volumes; mounts: VolumeMounts; close(): Promise<void> }> {
  const { dataDir, log, events } = options
  await ensureDir(path.join(dataDir, 'db'))
  const db = openDatabase(path.join(dataDir, 'db', 'volumes.db'))
  const store = await openVolumeStore({ root: path.join(dataDir, 'volumes'), db, events })
  const finishing = store
    .recover()
    .catch((error: Error) => log.warn('a volume could not be put in order', { error: error.message }))
  let usersOf: (volume: string) => string[] = () => []

  function find(name: string): VolumeRecord {
    const record = store.get(name)
    if (!record) throw noSuchVolume(name)
    return record
  }

  const sizeOf = (record: VolumeRecord) => diskUsage(store.dataDir(record.name))

  const volumes: Volumes = {
    async create(body) {
      if (body.Driver && body.Driver !== 'local') {
        throw notFound(
          `create ${body.Name ?? ''}: error looking up volume plugin ${body.Driver}: plugin "${body.Driver}" not found`,
        )
      }
      const record = await store.create({
        ...(body.Name && { name: body.Name }),
        ...(body.Labels && { labels: body.Labels }),
        ...(body.DriverOpts && { options: body.DriverOpts }),
      })
      return store.inspect(record)
    },

    async list(request = {}) {
      const filters = checkFilters(request.filters, ['dangling', 'driver', 'label', 'name'])
      const dangling = booleanFilter(filters, 'dangling')
      const found: VolumeInspect[] = []
      for (const record of store.list()) {
        if (!matches(filters, 'name', (wanted) => record.name.includes(wanted))) continue
        if (!matches(filters, 'driver', (wanted) => wanted === 'local')) continue
        if (!matchesLabels(filters, record.labels)) continue
        const users = usersOf(record.name).length
        if (dangling !== undefined && dangling !== (users === 0)) continue
        const UsageData = request.size ? { Size: await sizeOf(record), RefCount: users } : undefined
        found.push({ ...store.inspect(record), ...(UsageData && { UsageData }) })
      }
      return found
    },

    async inspect(name) {
      return store.inspect(find(name))
    },

    async remove(name, request = {}) {
      await store.lock(name, async () => {
        if (request.force && !store.get(name)) return
        const record = find(name)
        const users = usersOf(name)
        if (users.length > 0) throw volumeInUse(name, users)
        await store.remove(record)
      })
    },

    async prune(request = {}) {
      const filters = checkFilters(request.filters, ['all', 'label', 'label!'])
      const deleted: string[] = []
      let spaceReclaimed = 0
      for (const { name } of prunable(filters)) {
        await store.lock(name, async () => {
          const record = store.get(name)
          if (!record || usersOf(name).length > 0) return
          const size = await sizeOf(record)
          await store.remove(record)
          deleted.push(name)
          spaceReclaimed += size
        })
      }
      const Attributes = { reclaimed: String(spaceReclaimed) }
      events.publish({ Type: 'volume', Action: 'prune', Actor: { ID: '', Attributes } })
      return { deleted, spaceReclaimed }
    },
  }

  /** Named volumes are spared unless `all`: someone gave them their name to find them again. */
  function prunable(filters: Filters): VolumeRecord[] {
    const all = booleanFilter(filters, 'all') ?? false
    return store
      .list()
      .filter((record) => all || Object.hasOwn(record.labels, ANONYMOUS_LABEL))
      .filter((record) => matchesLabels(filters, record.labels))
  }

  async function populate(points: MountPoint[], rootfs: string): Promise<void> {
    for (const point of points) {
      if (point.Type === 'bind' && !fs.existsSync(point.Source)) {
        throw invalid(
          `invalid mount config for type "bind": bind source path does not exist: ${point.Source}`,
        )
      }
      const { Name: name } = point
      if (point.Type !== 'volume' || !name) continue
      // A prune may have come between the container's creation and its start.
      if (!store.get(name)) await store.create({ name })
      await store.lock(name, () => populateVolume(store, point, rootfs))
    }
  }

  async function removeAnonymous(container: string): Promise<void> {
    for (const record of store.list().filter((one) => one.container === container)) {
      await store.lock(record.name, async () => {
        const others = usersOf(record.name).filter((user) => user !== container)
        if (others.length > 0 || !store.get(record.name)) return
        try {
          await store.remove(record)
        } catch (error) {
          log.warn(`volume ${record.name} could not be removed`, { error: (error as Error).message })
        }
      })
    }
  }

  const mounts: VolumeMounts = {
    resolve: (container, config, hostConfig, inherited = []) =>
      resolveMounts(store, container, config, hostConfig, inherited),
    populate,
    removeAnonymous,
    setUsers: (fn) => {
      usersOf = fn
    },
  }
  async function close(): Promise<void> {
    await finishing
    db.close()
  }

  return { volumes, mounts, close }
}
