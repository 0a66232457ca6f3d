/**
 * Writable root file systems: `snapshots/KEY/{upper,work,root}`, an overlay over unpacked layers. The record
 * says that it is there; mounts are made when they are asked for, and anew after a reboot.
 * @module
 */
import { existsSync } from 'node:fs'
import fs from 'node:fs/promises'
import { join } from 'node:path'
import { type ContainerChange, conflict, type Digest, invalid, notFound } from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { ensureDir, KeyedMutex } from '@kernel/state'
import { listMounts, mountOverlay, umountLater } from '@kernel/sys'
import type { LayerInfo, Snapshots } from '../parts.ts'
import type { Holds } from './holds.ts'
import type { LayerStore } from './layers/layer-store.ts'
import type { LayerPool } from './layers/pool.ts'
import type { Records } from './records.ts'

/** OVL_MAX_STACK of the kernel. */
const MOST_LAYERS = 500
/** Keys of build steps; their snapshots do not outlive a crash of the machine. */
const BUILD_PREFIX = 'build-'
const keyPattern = /^[A-Za-z0-9][\w.-]{0,127}$/

export interface SnapshotParts {
  records: Records
  layers: LayerStore
  holds: Holds
  pool: LayerPool
  log: Logger
  /** Removes the layers that nothing refers to any more. */
  collect: () => Promise<unknown>
}

export class OverlaySnapshots implements Snapshots {
  private readonly dir: string
  private readonly parts: SnapshotParts
  private readonly mutex = new KeyedMutex()
  private readonly mounted: Set<string>

  private constructor(dir: string, parts: SnapshotParts) {
    this.dir = dir
    this.parts = parts
    this.mounted = new Set(listMounts().map((mount) => mount.target))
  }

  static async open(dir: string, parts: SnapshotParts): Promise<OverlaySnapshots> {
    await ensureDir(dir)
    const snapshots = new OverlaySnapshots(await fs.realpath(dir), parts)
    await snapshots.sweep()
    return snapshots
  }

  async prepare(key: string, layers: Digest[]): Promise<void> {
    if (!keyPattern.test(key)) throw invalid(`not a name for a snapshot: ${JSON.stringify(key)}`)
    if (layers.length > MOST_LAYERS)
      throw invalid(`${layers.length} layers are more than the ${MOST_LAYERS} that overlayfs stacks`)
    await this.mutex.run(key, async () => {
      const release = this.parts.holds.hold(layers)
      try {
        await this.parts.layers.ensureUnpacked(layers)
        if (this.parts.records.hasSnapshot(key)) throw conflict(`the snapshot ${key} exists already`)
        this.parts.records.addSnapshot(key, layers)
      } finally {
        release()
      }
      await this.makeFolders(key)
    })
  }

  async mount(key: string): Promise<string> {
    return this.mutex.run(key, async () => {
      this.mustExist(key)
      const root = this.path(key, 'root')
      if (this.mounted.has(root)) return root
      const layers = this.parts.records.snapshotLayers(key)
      await this.parts.layers.ensureUnpacked(layers)
      if (!existsSync(root)) await this.makeFolders(key)
      const lower = layers.map((diffId) => this.parts.layers.fsDir(diffId)).reverse()
      if (lower.length === 0) lower.push(await this.parts.layers.emptyDir())
      const volatile = await this.readyForVolatile(key)
      // Layers must stay what they are on their own: no reference from one into another, no half copies.
      const options = ['index=off', 'redirect_dir=off', 'metacopy=off', 'xino=off', ...volatile]
      mountOverlay({
        lower,
        upper: this.path(key, 'upper'),
        work: this.path(key, 'work'),
        target: root,
        options,
      })
      this.mounted.add(root)
      return root
    })
  }

  async unmount(key: string): Promise<void> {
    await this.mutex.run(key, () => this.unmountNow(key))
  }

  async remove(key: string): Promise<void> {
    if (!keyPattern.test(key)) return
    await this.mutex.run(key, async () => {
      if (!this.parts.records.hasSnapshot(key) && !existsSync(this.path(key))) return
      this.parts.records.dropSnapshot(key)
      await this.removeFolders(key)
      await this.parts.collect()
    })
  }

  upperDir(key: string): string {
    this.mustExist(key)
    return this.path(key, 'upper')
  }

  async usage(key: string): Promise<number> {
    this.mustExist(key)
    return this.parts.pool.run('usage', { dir: this.path(key, 'upper') })
  }

  async keys(): Promise<string[]> {
    return this.parts.records.snapshotKeys()
  }

  /**
   * Packs what was changed as a layer. A snapshot that is not mounted hands its upper folder over as the
   * unpacked layer, without a copy, and goes on above it with an empty one; a mounted one is copied and stays, as
   * does one of which something is left out.
   */
  async commit(key: string, { leaveOut }: { leaveOut?: string[] } = {}): Promise<LayerInfo> {
    return this.mutex.run(key, async () => {
      this.mustExist(key)
      const upper = this.path(key, 'upper')
      if (leaveOut || this.mounted.has(this.path(key, 'root'))) {
        const { diffId, size } = await this.parts.layers.addFolder(upper, { overlay: true, leaveOut })
        return { diffId, size }
      }
      const below = this.parts.records.snapshotLayers(key)
      const { diffId, size, taken } = await this.parts.layers.adoptFolder(upper, (made) =>
        this.parts.records.setSnapshotLayers(key, [...below, made]),
      )
      if (taken) await this.makeFolders(key)
      return { diffId, size }
    })
  }

  async changes(key: string): Promise<ContainerChange[]> {
    this.mustExist(key)
    const layers = this.parts.records.snapshotLayers(key)
    const release = this.parts.holds.hold(layers)
    try {
      await this.parts.layers.ensureUnpacked(layers)
      const lower = layers.map((diffId) => this.parts.layers.fsDir(diffId)).reverse()
      return await this.parts.pool.run('changes', { upper: this.path(key, 'upper'), lower })
    } finally {
      release()
    }
  }

  private path(key: string, part = ''): string {
    return join(this.dir, key, part)
  }

  private mustExist(key: string): void {
    if (!this.parts.records.hasSnapshot(key)) throw notFound(`No such snapshot: ${key}`)
  }

  private async makeFolders(key: string): Promise<void> {
    await fs.mkdir(this.path(key), { recursive: true, mode: 0o700 })
    for (const part of ['upper', 'work', 'root']) {
      await fs.mkdir(this.path(key, part), { recursive: true })
      // The upper folder's mode is what the container sees on its `/`.
      await fs.chmod(this.path(key, part), 0o755)
    }
  }

  /**
   * Files of a build are worth nothing before they are a layer: their overlay is told not to flush the disk. Such
   * a mount leaves a mark in its work folder that forbids the next one, so the folder is made anew.
   */
  private async readyForVolatile(key: string): Promise<string[]> {
    if (!key.startsWith(BUILD_PREFIX)) return []
    const work = this.path(key, 'work')
    await fs.rm(work, { recursive: true, force: true })
    await fs.mkdir(work, { mode: 0o755 })
    return ['volatile']
  }

  /** Not on the main thread: the kernel flushes the overlay's file system meanwhile. */
  private async unmountNow(key: string): Promise<void> {
    const root = this.path(key, 'root')
    if (!this.mounted.has(root)) return
    await umountLater(root)
    this.mounted.delete(root)
  }

  private async removeFolders(key: string): Promise<void> {
    await this.unmountNow(key)
    const path = this.path(key)
    // Names that are no text stop Node's own removal.
    await fs.rm(path, { recursive: true, force: true }).catch(() => {})
    if (existsSync(path)) await this.parts.pool.run('remove', { path })
  }

  /** For the start: folders without a record go, mounts included. */
  private async sweep(): Promise<void> {
    const known = new Set(this.parts.records.snapshotKeys())
    for (const name of await fs.readdir(this.dir)) if (!known.has(name)) await this.removeFolders(name)
    for (const key of known) {
      if (existsSync(this.path(key, 'upper'))) continue
      if (existsSync(this.path(key)))
        this.parts.log.error('the changes of a snapshot are gone', { snapshot: key })
      await this.makeFolders(key)
    }
  }
}
