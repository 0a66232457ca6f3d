/** What the store's tests share: stores in temporary folders, tars made by hand, images of one file. @module */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Digest, ImageConfig } from '@kernel/contracts'
import { TAR_END, type TarHeader, tarPadding, writeTarHeader } from '@kernel/core-wasm'
import type { Logger } from '@kernel/kernel'
import { listMounts, umountIfMounted } from '@kernel/sys'
import { describe, vi } from 'vitest'
import { createStore, type Store, type StoreOptions } from '../index.ts'

export const isRoot = process.getuid?.() === 0
export const hasProgram = (name: string) => spawnSync('which', [name]).status === 0

/** `describe` where this machine can; else one line that says what was left out, and why. */
export function describeWhere(able: boolean, needs: string, name: string, fn: () => void): void {
  if (!able) console.warn(`left out, for want of ${needs}: ${name}`)
  // A busy machine is no failure.
  vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })
  describe.runIf(able)(name, fn)
}

export const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** A new folder, and the way to remove it with all that is mounted inside. */
export function temporaryFolder(): { dir: string; remove: () => void } {
  const dir = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'kernel-store-')))
  const remove = () => {
    for (const { target } of listMounts().reverse()) if (target.startsWith(`${dir}/`)) umountIfMounted(target)
    fs.rmSync(dir, { recursive: true, force: true })
  }
  return { dir, remove }
}

export async function openStore(dataDir: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  return createStore({ dataDir, log: quiet, ...options })
}

export type Item = TarHeader & { data?: string | Buffer }

/** A tar of these entries, in this order. */
export function tarOf(...items: Item[]): Buffer {
  const parts: Uint8Array[] = []
  for (const { data, ...header } of items) {
    const bytes = Buffer.from(data ?? '')
    parts.push(
      writeTarHeader({ ...header, size: bytes.length }),
      bytes,
      Buffer.alloc(tarPadding(bytes.length)),
    )
  }
  return Buffer.concat([...parts, TAR_END])
}

export async function* streamOf(bytes: Uint8Array, piece = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece)
}

export async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of stream) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}

/** A configuration over layers; `note` makes it another image. */
export function configOf(layers: Digest[], note = ''): ImageConfig {
  return {
    architecture: 'amd64',
    os: 'linux',
    created: '2024-01-02T03:04:05Z',
    config: { Cmd: ['sh'], Labels: { note } },
    rootfs: { type: 'layers', diff_ids: layers },
    history: layers.map((_, index) => ({ created_by: `step ${index}` })),
  }
}

/** An image of one layer with one file. */
export async function makeImage(store: Store, text: string, tags: string[] = []) {
  const layer = await store.images.addLayerFromTar(streamOf(tarOf({ path: 'file', data: text })))
  return store.images.createImage(configOf([layer.diffId], text), { tags })
}

/** Ids of the ledger's entries that nothing pins, and of files that no entry names. */
export async function garbageOf(store: Store, dataDir: string): Promise<string[]> {
  const entries = await store.ledger()
  const known = new Set(entries.map(({ id }) => id.replace('sha256:', '')))
  const files = ['content/sha256', 'content/partial', 'content/tmp', 'layers', 'snapshots'].flatMap(
    (folder) => fs.readdirSync(join(dataDir, folder)).map((name) => ({ name, path: `${folder}/${name}` })),
  )
  const unknown = files.filter(({ name }) => name !== 'empty' && !known.has(name)).map(({ path }) => path)
  return [...entries.filter(({ pinnedBy }) => pinnedBy.length === 0).map(({ id }) => id), ...unknown]
}
