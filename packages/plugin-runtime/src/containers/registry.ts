/** The containers that exist: in memory for reading, in SQLite for good. @module */
import { conflict, invalid, notFound } from '@kernel/contracts'
import { type Collection, collection, type Database } from '@kernel/state'
import type { ContainerRecord } from './record.ts'

/** What is left to be cleaned up of a removed container; written in the same commit that removes it. */
export interface Garbage {
  id: string
  removeVolumes: boolean
}

export interface Registry {
  all(): ContainerRecord[]
  get(id: string): ContainerRecord | undefined
  /** By id, name (with or without `/`) or unique prefix of the id. @throws not-found, invalid */
  resolve(ref: string): ContainerRecord
  /** Takes a name for a container that is being made or renamed. @throws conflict */
  reserve(name: string, id: string): void
  release(name: string, id: string): void
  isTaken(name: string): boolean
  /** Notes that a container is being made: what is there of it without a record is garbage at the next start. */
  conceive(id: string): void
  /** The first record of what was conceived. */
  bear(record: ContainerRecord): void
  /** Durable when it returns. */
  save(record: ContainerRecord): void
  /** The record goes and its garbage is noted, in one commit. */
  bury(record: ContainerRecord, garbage: Garbage): void
  garbage(): Garbage[]
  forget(garbage: Garbage): void
}

export function createRegistry(db: Database): Registry {
  const stored: Collection<ContainerRecord> = collection(db, 'containers')
  const graves: Collection<Garbage> = collection(db, 'container-garbage')
  const records = new Map<string, ContainerRecord>()
  const names = new Map<string, string>()
  for (const record of stored.list()) {
    records.set(record.id, record)
    names.set(record.name, record.id)
  }

  function resolve(ref: string): ContainerRecord {
    const exact = records.get(ref)
    if (exact) return exact
    const named = records.get(names.get(ref.replace(/^\//, '')) ?? '')
    if (named) return named
    if (/^[0-9a-f]{1,64}$/.test(ref)) {
      const matches = [...records.keys()].filter((id) => id.startsWith(ref))
      if (matches.length > 1) throw invalid(`multiple IDs found with provided prefix: ${ref}`)
      const found = records.get(matches[0] ?? '')
      if (found) return found
    }
    throw notFound(`No such container: ${ref}`)
  }

  return {
    all: () => [...records.values()],
    get: (id) => records.get(id),
    resolve,
    reserve: (name, id) => {
      const holder = names.get(name)
      if (holder !== undefined && holder !== id)
        throw conflict(
          `Conflict. The container name "/${name}" is already in use by container "${holder}". ` +
            'You have to remove (or rename) that container to be able to reuse that name.',
        )
      names.set(name, id)
    },
    release: (name, id) => {
      if (names.get(name) === id) names.delete(name)
    },
    isTaken: (name) => names.has(name),
    conceive: (id) => {
      graves.put(id, { id, removeVolumes: true })
    },
    bear: (record) => {
      db.transaction(() => {
        stored.put(record.id, record)
        graves.delete(record.id)
      })
      records.set(record.id, record)
    },
    save: (record) => {
      stored.put(record.id, record)
      records.set(record.id, record)
    },
    bury: (record, garbage) => {
      db.transaction(() => {
        stored.delete(record.id)
        graves.put(garbage.id, garbage)
      })
      records.delete(record.id)
      if (names.get(record.name) === record.id) names.delete(record.name)
    },
    garbage: () => graves.list(),
    forget: ({ id }) => {
      graves.delete(id)
    },
  }
}

/** `container abc... is not running`, the 409 of exec, kill, pause and their kin. */
export function notRunning(record: ContainerRecord): Error {
  return conflict(`container ${record.id} is not running`)
}
