import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { conflict, type Events, failed, invalid, notFound, type VolumeInspect } from '@kernel/contracts'
import {
  type Collection,
  collection,
  type Database,
  ensureDir,
  KeyedMutex,
  removeTree,
  sweepTemp,
} from '@kernel/state'
import { isMountPoint, umountIfMounted } from '@kernel/sys'
import { findProgram, runProgram } from '../host/programs.ts'

/** Docker's own mark of a volume that no one named. */
export const ANONYMOUS_LABEL = 'com.docker.volume.anonymous'

/** What is recorded of a volume. Its files lie in `<root>/<name>/_data`. */
export interface VolumeRecord {
  name: string
  labels: Record<string, string>
  /** Options of the `local` driver: `type`, `o` and `device` of a mount. */
  options: Record<string, string>
  createdAt: string
  /** The container an anonymous volume was made for. */
  container?: string
  /** Set before its files are removed: a start after a crash goes on. */
  removing?: true
  /** `filling` while the image's files are copied in: what a crash leaves of that is thrown away. */
  content?: 'filling' | 'filled'
}

/** The volumes on disk: records and folders. */
export interface VolumeStore {
  readonly records: Collection<VolumeRecord>
  /** Without those that are being removed. */
  list(): VolumeRecord[]
  dataDir(name: string): string
  get(name: string): VolumeRecord | undefined
  /** One at a time for each volume. `create` takes this lock itself, the others leave it to the caller. */
  lock<T>(name: string, fn: () => Promise<T>): Promise<T>
  /** Makes it, or answers the one there is. An anonymous one where no name is given. */
  create(options: {
    name?: string
    labels?: Record<string, string>
    options?: Record<string, string>
    container?: string
  }): Promise<VolumeRecord>
  /** Brings it to where it can be used: its folder exists, and what its options name is mounted there. */
  ready(record: VolumeRecord): Promise<string>
  remove(record: VolumeRecord): Promise<void>
  /** Brings to its end what a crash has cut off: removals, and volumes that have no folder yet. */
  recover(): Promise<void>
  inspect(record: VolumeRecord): VolumeInspect
}

export async function openVolumeStore(options: {
  root: string
  db: Database
  events: Events
}): Promise<VolumeStore> {
  const { root, events } = options
  await ensureDir(root)
  const records = collection<VolumeRecord>(options.db, 'volumes')
  const mutex = new KeyedMutex()
  const dataDir = (name: string) => path.join(root, name, '_data')

  async function create(request: Parameters<VolumeStore['create']>[0]): Promise<VolumeRecord> {
    const name = request.name || randomBytes(32).toString('hex')
    checkName(name)
    return mutex.run(name, () => createLocked(name, request))
  }

  async function createLocked(
    name: string,
    request: Parameters<VolumeStore['create']>[0],
  ): Promise<VolumeRecord> {
    const known = records.get(name)
    if (known?.removing) await remove(known)
    else if (known) {
      await ready(known)
      return known
    }
    checkOptions(name, request.options ?? {})
    const record: VolumeRecord = {
      name,
      labels: { ...request.labels, ...(!request.name && { [ANONYMOUS_LABEL]: '' }) },
      options: request.options ?? {},
      createdAt: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
      ...(request.container && { container: request.container }),
    }
    records.put(name, record)
    try {
      await makeDir(name)
    } catch (error) {
      records.delete(name)
      throw error
    }
    events.publish({ Type: 'volume', Action: 'create', Actor: { ID: name, Attributes: { driver: 'local' } } })
    return record
  }

  /** Root alone may list the folder above; who may enter the data itself is up to the image that fills it. */
  async function makeDir(name: string): Promise<void> {
    if (fs.existsSync(dataDir(name))) return
    await ensureDir(path.join(root, name), 0o701)
    await ensureDir(dataDir(name), 0o755)
  }

  async function ready(record: VolumeRecord): Promise<string> {
    const at = dataDir(record.name)
    await makeDir(record.name)
    const { type, device, o } = record.options
    if (!(type || device) || isMountPoint(at)) return at
    const bind = (o ?? '').split(',').some((word) => word === 'bind' || word === 'rbind')
    const args = [
      ...(type && !bind ? ['-t', type] : []),
      ...(o ? ['-o', o] : []),
      device || type || 'none',
      at,
    ]
    const { code, stderr } = await runProgram(findProgram('mount') ?? 'mount', args, { timeoutMs: 30_000 })
    if (code === 0) return at
    throw failed(
      `error while mounting volume '${record.name}': ${stderr.trim() || `mount ended with ${code}`}`,
      {
        hint: `Check its options: docker volume inspect ${record.name}`,
      },
    )
  }

  async function remove(record: VolumeRecord): Promise<void> {
    records.put(record.name, { ...record, removing: true })
    try {
      if (record.options.type || record.options.device) umountIfMounted(dataDir(record.name))
      // The folder before the record: the other way round, a crash would leave data that a new volume of this
      // name shows.
      await removeTree(path.join(root, record.name))
    } catch (error) {
      records.put(record.name, record)
      throw error
    }
    records.delete(record.name)
    const Attributes = { driver: 'local' }
    events.publish({ Type: 'volume', Action: 'destroy', Actor: { ID: record.name, Attributes } })
  }

  async function recover(): Promise<void> {
    const unfinished = records
      .list()
      .filter(({ name, removing }) => removing || !fs.existsSync(dataDir(name)))
    for (const { name } of unfinished)
      await mutex.run(name, async () => {
        const record = records.get(name)
        if (record?.removing) await remove(record)
        else if (record) await makeDir(name)
      })
    await sweepTemp(root)
  }

  function inspect(record: VolumeRecord): VolumeInspect {
    return {
      Name: record.name,
      Driver: 'local',
      Mountpoint: dataDir(record.name),
      CreatedAt: record.createdAt,
      Labels: record.labels,
      Scope: 'local',
      Options: record.options,
    }
  }

  return {
    records,
    dataDir,
    list: () => records.list().filter(({ removing }) => !removing),
    get: (name) => {
      const record = records.get(name)
      return record?.removing ? undefined : record
    },
    lock: (name, fn) => mutex.run(name, fn),
    create,
    ready,
    remove,
    recover,
    inspect,
  }
}

/** @throws notFound in Docker's words */
export function noSuchVolume(name: string): Error {
  return notFound(`get ${name}: no such volume`)
}

/** @throws conflict in Docker's words */
export function volumeInUse(name: string, users: string[]): Error {
  return conflict(`remove ${name}: volume is in use - [${users.join(', ')}]`, {
    hint: 'Remove these containers first',
  })
}

function checkName(name: string): void {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name) && name.length <= 255) return
  throw invalid(
    `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. ` +
      'If you intended to pass a host directory, use absolute path',
  )
}

function checkOptions(name: string, options: Record<string, string>): void {
  for (const key of Object.keys(options)) {
    if (!['type', 'o', 'device'].includes(key)) throw invalid(`create ${name}: invalid option: "${key}"`)
  }
  if (options.o && !options.device && !options.type) {
    throw invalid(`create ${name}: missing device in volume options`)
  }
}
