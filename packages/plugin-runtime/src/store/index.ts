/**
 * The image store of one data folder: content, layers, images, snapshots.
 * @module
 */
import { join } from 'node:path'
import type { LedgerEntry } from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { ensureDir } from '@kernel/state'
import type { Snapshots, TreeArchives } from '../parts.ts'
import { createArchives } from './archives.ts'
import { Content } from './content.ts'
import { Holds } from './holds.ts'
import { collectGarbage } from './images/garbage.ts'
import { createImageStore, type LocalImageStore } from './images/image-store.ts'
import type { ImageEvent, ImageParts } from './images/parts.ts'
import type { ExtractLimits } from './layers/extract.ts'
import { LayerStore } from './layers/layer-store.ts'
import { LayerPool } from './layers/pool.ts'
import { storeLedger } from './ledger.ts'
import { Records } from './records.ts'
import type { RegistryOptions } from './registry/client.ts'
import { OverlaySnapshots } from './snapshots.ts'

export type { ImageEvent } from './images/parts.ts'
export { LayerPool } from './layers/pool.ts'
export type { RegistryOptions } from './registry/client.ts'

export interface StoreOptions {
  dataDir: string
  log: Logger
  /** Threads that others use, too; without it the store has its own. */
  pool?: LayerPool
  registry?: RegistryOptions
  /** Told of each change of an image, for the event stream. */
  onEvent?: (event: ImageEvent) => void
  limits?: ExtractLimits
  /** Bytes of an archive that is loaded; default 64 GiB. */
  archiveLimit?: number
}

export interface Store {
  images: LocalImageStore
  snapshots: Snapshots
  archives: TreeArchives
  ledger(): Promise<LedgerEntry[]>
  /** Ends the threads and closes the database; snapshots stay mounted for the containers that run on. */
  close(): Promise<void>
}

/** Opens the store and puts right what a crash left: see docs/decisions for how. */
export async function createStore(options: StoreOptions): Promise<Store> {
  const { dataDir, log } = options
  await ensureDir(join(dataDir, 'db'))
  const records = new Records(join(dataDir, 'db', 'images.db'))
  const pool = options.pool ?? new LayerPool()
  const holds = new Holds()
  const content = await Content.open(join(dataDir, 'content'), records)
  const layerParts = { records, content, holds, pool, log, ...(options.limits && { limits: options.limits }) }
  const upperDir = (key: string) => join(dataDir, 'snapshots', key, 'upper')
  const layers = await LayerStore.open(join(dataDir, 'layers'), layerParts, upperDir)
  const parts: ImageParts = {
    ...{ records, content, layers, holds, log },
    emit: options.onEvent ?? (() => {}),
    users: { of: () => [], isRunning: () => false },
  }
  const collect = () => collectGarbage(parts)
  const snapshotParts = { records, layers, holds, pool, log, collect }
  const snapshots = await OverlaySnapshots.open(join(dataDir, 'snapshots'), snapshotParts)
  await collectGarbage(parts, { setAside: true })
  const archiveLimit = options.archiveLimit ?? 64 * 2 ** 30
  return {
    images: createImageStore(parts, { registry: options.registry ?? {}, archiveLimit }),
    snapshots,
    archives: createArchives({ content, pool }, archiveLimit),
    ledger: () => storeLedger(parts, snapshots),
    close: async () => {
      if (!options.pool) await pool.close()
      records.db.close()
    },
  }
}
