/**
 * Unpacked layers, one folder each: `layers/HEX/fs` as overlayfs stacks it, and for layers that have no
 * compressed blob `layers/HEX/recipe` (recipe.ts). A folder gets its name when it is complete, and counts when
 * it is recorded.
 * @module
 */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import { join } from 'node:path'
import { type Digest, failed, notFound } from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { ensureDir, KeyedMutex } from '@kernel/state'
import { syncFilesystem } from '@kernel/sys'
import type { Content } from '../content.ts'
import type { Holds } from '../holds.ts'
import type { LayerRecord, Records } from '../records.ts'
import type { ExtractLimits } from './extract.ts'
import type { PackOptions, Report, Source } from './jobs.ts'
import type { LayerPool } from './pool.ts'

export interface LayerStoreParts {
  records: Records
  content: Content
  holds: Holds
  pool: LayerPool
  log: Logger
  limits?: ExtractLimits
}

export class LayerStore {
  readonly dir: string
  private readonly parts: LayerStoreParts
  private readonly mutex = new KeyedMutex()
  private readonly boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()

  private constructor(dir: string, parts: LayerStoreParts) {
    this.dir = dir
    this.parts = parts
  }

  /** @param upperDir where the changes of a snapshot are */
  static async open(
    dir: string,
    parts: LayerStoreParts,
    upperDir: (key: string) => string,
  ): Promise<LayerStore> {
    await ensureDir(dir)
    const store = new LayerStore(dir, parts)
    await store.recover(upperDir)
    return store
  }

  /** The folder that overlays stack. */
  fsDir(diffId: Digest): string {
    return join(this.home(diffId), 'fs')
  }

  /** A folder for an overlay that has no layer at all. */
  async emptyDir(): Promise<string> {
    const empty = join(this.dir, 'empty')
    await ensureDir(empty, 0o755)
    return empty
  }

  /** Unpacks a blob of the content store. Nothing is done where the layer is here. */
  async addBlob(blob: Digest, diffId: Digest, report?: Report): Promise<LayerRecord> {
    const source = { file: this.parts.content.path(blob) }
    return this.mutex.run(diffId, async () => {
      const known = this.parts.records.layer(diffId)
      if (known) return known
      const layer = await this.unpack(source, { diffId, blob, ...(report && { report }) })
      return this.install(layer.folder, { ...layer.info, blob })
    })
  }

  /** Unpacks a tar file, compressed or not, and writes its recipe. */
  async addFile(source: Source, expected?: Digest, report?: Report): Promise<LayerRecord> {
    if (expected && this.parts.records.layer(expected)) return this.fresh(this.parts.records.layer(expected)!)
    const { folder, info } = await this.unpack(source, { diffId: expected, ...(report && { report }) })
    return this.fresh(await this.mutex.run(info.diffId, () => this.install(folder, info)))
  }

  /** Packs a folder and keeps a copy of it as a layer. */
  async addFolder(dir: string, options: PackOptions): Promise<LayerRecord> {
    const out = this.parts.content.temporaryPath()
    try {
      const { diffId } = await this.parts.pool.run('pack', { dir, options, out })
      return await this.addFile({ file: out }, diffId)
    } finally {
      await fs.rm(out, { force: true })
    }
  }

  /**
   * Packs the upper folder of a snapshot that is not mounted; the folder itself becomes the unpacked layer.
   * `record` writes down that the snapshot stands on that layer now; from that moment the move is certain, and
   * a start after a crash finishes it.
   * @returns `taken` false where the layer was here already and the folder stays
   */
  async adoptFolder(
    dir: string,
    record: (diffId: Digest) => void,
  ): Promise<LayerRecord & { taken: boolean }> {
    const out = this.parts.content.temporaryPath()
    const folder = await this.newFolder()
    try {
      const { diffId, tarSize } = await this.parts.pool.run('pack', { dir, options: { overlay: true }, out })
      return await this.mutex.run(diffId, async () => {
        const known = this.parts.records.layer(diffId)
        if (known) return { ...this.fresh(known), taken: false }
        const recipe = join(folder, 'recipe')
        const { size, disk } = await this.parts.pool.run('adopt', { tar: out, recipe })
        const layer = { diffId, tarSize, size, disk }
        await this.removeHome(this.home(diffId))
        await fs.rename(folder, this.home(diffId))
        this.parts.records.transaction(() => {
          this.parts.records.addLayer(layer, this.boot)
          record(diffId)
        })
        await fs.rename(dir, this.fsDir(diffId))
        return { ...this.fresh(layer), taken: true }
      })
    } finally {
      await fs.rm(out, { force: true })
      await this.discard(folder)
    }
  }

  /** Makes the uncompressed tar anew, verified, as a file that the caller discards. */
  async openTar(diffId: Digest): Promise<{ file: string; size: number; discard: () => Promise<void> }> {
    const layer = this.must(diffId)
    const out = this.parts.content.temporaryPath()
    const discard = () => this.parts.content.discard(out)
    const recipe = join(this.home(diffId), 'recipe')
    try {
      await this.parts.pool.run('assemble', {
        diffId,
        out,
        layer: this.fsDir(diffId),
        ...(layer.blob
          ? { blob: this.parts.content.path(layer.blob) }
          : existsSync(recipe)
            ? { recipe }
            : {}),
      })
      return { file: out, size: layer.tarSize, discard }
    } catch (error) {
      await discard()
      throw error
    }
  }

  /** Unpacks again what is recorded but whose folder is gone. @throws not-found, failed */
  async ensureUnpacked(diffIds: Digest[]): Promise<void> {
    for (const diffId of diffIds) {
      const layer = this.must(diffId)
      if (existsSync(this.fsDir(diffId))) continue
      await this.mutex.run(diffId, () => this.repair(layer))
    }
  }

  /** Returns when the files of these layers are on the disk: one flush for all. */
  async sync(diffIds: Digest[]): Promise<void> {
    const unsynced = this.parts.records.unsynced()
    if (!unsynced.some((id) => diffIds.includes(id))) return
    await syncFilesystem(this.dir)
    this.parts.records.markSynced(unsynced)
  }

  /** Removes the files of layers whose records are gone; answers the bytes. */
  async removeFiles(layers: LayerRecord[]): Promise<number> {
    let bytes = 0
    for (const { diffId, disk } of layers) {
      await this.mutex.run(diffId, async () => {
        if (this.parts.records.layer(diffId)) return
        bytes += disk + (await this.recipeSize(diffId))
        await this.removeHome(this.home(diffId))
      })
    }
    return bytes
  }

  /** Bytes of the recipe; 0 where there is none. */
  async recipeSize(diffId: Digest): Promise<number> {
    const stat = await fs.stat(join(this.home(diffId), 'recipe')).catch(() => undefined)
    return stat?.size ?? 0
  }

  private home(diffId: Digest): string {
    return join(this.dir, diffId.slice('sha256:'.length))
  }

  private must(diffId: Digest): LayerRecord {
    const layer = this.parts.records.layer(diffId)
    if (!layer) throw notFound(`No such layer: ${diffId}`)
    return layer
  }

  private fresh(layer: LayerRecord): LayerRecord {
    this.parts.holds.markFresh(layer.diffId)
    return layer
  }

  private async newFolder(): Promise<string> {
    const folder = join(this.dir, `.new-${randomBytes(8).toString('hex')}`)
    await fs.mkdir(join(folder), { mode: 0o700, recursive: true })
    return folder
  }

  private async discard(folder: string): Promise<void> {
    if (existsSync(folder)) await this.parts.pool.run('remove', { path: folder })
  }

  private async unpack(
    source: Source,
    options: { diffId?: Digest | undefined; blob?: Digest; report?: Report },
  ): Promise<{ folder: string; info: Omit<LayerRecord, 'blob'> }> {
    const folder = await this.newFolder()
    const target = join(folder, 'fs')
    await fs.mkdir(target)
    await fs.chmod(target, 0o755)
    const { diffId, blob, report } = options
    const job = {
      source,
      target,
      scratch: join(folder, 'scratch'),
      ...(diffId && { diffId }),
      ...(!blob && { recipe: join(folder, 'recipe') }),
      ...(this.parts.limits && { limits: this.parts.limits }),
    }
    try {
      return { folder, info: await this.parts.pool.run('unpack', job, report) }
    } catch (error) {
      await this.discard(folder)
      throw error
    }
  }

  /** Gives the complete folder its name, then records it; a layer that is here already wins. */
  private async install(folder: string, layer: LayerRecord): Promise<LayerRecord> {
    const known = this.parts.records.layer(layer.diffId)
    if (known) {
      await this.discard(folder)
      return known
    }
    await this.removeHome(this.home(layer.diffId))
    await fs.rename(folder, this.home(layer.diffId))
    this.parts.records.addLayer(layer, this.boot)
    return layer
  }

  private async repair(layer: LayerRecord): Promise<void> {
    const { diffId, blob } = layer
    if (existsSync(this.fsDir(diffId))) return
    if (!blob)
      throw failed(`the files of layer ${diffId} are gone`, { hint: 'pull or build its images again' })
    this.parts.log.warn('a layer is unpacked again, its files were gone', { layer: diffId })
    const { folder } = await this.unpack({ file: this.parts.content.path(blob) }, { diffId, blob })
    await this.removeHome(this.home(diffId))
    await fs.rename(folder, this.home(diffId))
    await syncFilesystem(this.dir)
    this.parts.records.markSynced([diffId])
  }

  private async removeHome(home: string): Promise<void> {
    if (!existsSync(home)) return
    const doomed = join(this.dir, `.old-${randomBytes(8).toString('hex')}`)
    await fs.rename(home, doomed)
    await this.parts.pool.run('remove', { path: doomed })
  }

  /** For the start: half-made and forgotten folders go; layers that a power cut may have hurt are made anew. */
  private async recover(upperDir: (key: string) => string): Promise<void> {
    const { records, log, pool } = this.parts
    for (const { diffId } of records.layers()) await this.finishMove(diffId, upperDir)
    for (const diffId of records.doubtful(this.boot)) {
      const hasBlob = this.hasBlob(records.layer(diffId)!)
      if (hasBlob) await this.removeHome(this.home(diffId))
      // A container's own files have no better promise than this; they are not ours to throw away.
      if (hasBlob || records.snapshotsWithLayer(diffId).length > 0) records.markSynced([diffId])
      else log.warn('a layer was not on the disk when the machine went down', this.forget(diffId))
    }
    for (const layer of records.layers())
      if (!existsSync(this.fsDir(layer.diffId)) && !this.hasBlob(layer))
        log.error('the files of a layer are gone, and what needs it with them', this.forget(layer.diffId))
    const known = new Set(records.layers().map(({ diffId }) => diffId.slice('sha256:'.length)))
    for (const name of await fs.readdir(this.dir))
      if (name !== 'empty' && !known.has(name)) await pool.run('remove', { path: join(this.dir, name) })
  }

  private hasBlob({ blob }: LayerRecord): boolean {
    return blob !== undefined && existsSync(this.parts.content.path(blob))
  }

  private forget(diffId: Digest): Record<string, unknown> {
    return { layer: diffId, ...this.parts.records.dropLayer(diffId) }
  }

  /** A crash came between the record of {@link adoptFolder} and the move itself. */
  private async finishMove(diffId: Digest, upperDir: (key: string) => string): Promise<void> {
    if (existsSync(this.fsDir(diffId)) || !existsSync(join(this.home(diffId), 'recipe'))) return
    for (const key of this.parts.records.snapshotsWithLayer(diffId)) {
      if (this.parts.records.snapshotLayers(key).at(-1) !== diffId || !existsSync(upperDir(key))) continue
      await fs.rename(upperDir(key), this.fsDir(diffId))
      await ensureDir(upperDir(key), 0o755)
      return
    }
  }
}
