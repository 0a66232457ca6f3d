import fs from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Digest } from '@kernel/contracts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { digestOf } from './content.ts'
import type { Store } from './index.ts'
import { Records } from './records.ts'
import {
  configOf,
  describeWhere,
  garbageOf,
  type Item,
  isRoot,
  openStore,
  quiet,
  streamOf,
  tarOf,
  temporaryFolder,
} from './testing/fixture.ts'

let dir = ''
let remove = () => {}
let store: Store
let complaints: string[] = []
const log = {
  ...quiet,
  warn: (message: string) => complaints.push(message),
  error: (message: string) => complaints.push(message),
}
beforeEach(async () => {
  ;({ dir, remove } = temporaryFolder())
  complaints = []
  store = await openStore(dir, { log })
})
afterEach(async () => {
  await store.close()
  remove()
})

/** Closes the store, does something behind its back, and opens it again. */
async function meanwhile(change: (folder: (id: Digest) => string) => void): Promise<void> {
  await store.close()
  change((id) => join(dir, 'layers', id.slice(7)))
  store = await openStore(dir, { log })
}

function asAfterReboot(): void {
  const { db } = new Records(join(dir, 'db/images.db'))
  db.run("UPDATE layers SET unsynced_boot = 'an earlier one' WHERE unsynced_boot IS NOT NULL")
  db.close()
}

const plain = tarOf({ path: 'f', data: 'content' })
const addPlain = async () => (await store.images.addLayerFromTar(streamOf(plain))).diffId

/** Loads an image whose layer came compressed, so that there is a blob to make it from again. */
async function loadZipped(): Promise<Digest> {
  const zipped = gzipSync(plain)
  const config = Buffer.from(JSON.stringify(configOf([digestOf(plain)])))
  const blob = (bytes: Buffer): Item => ({ path: `blobs/sha256/${digestOf(bytes).slice(7)}`, data: bytes })
  const descriptor = (bytes: Buffer) => ({ mediaType: 'x', digest: digestOf(bytes), size: bytes.length })
  const manifest = Buffer.from(JSON.stringify({ config: descriptor(config), layers: [descriptor(zipped)] }))
  const index = Buffer.from(JSON.stringify({ manifests: [descriptor(manifest)] }))
  const archive = tarOf({ path: 'index.json', data: index }, blob(manifest), blob(config), blob(zipped))
  await store.images.load(streamOf(archive), () => {})
  return digestOf(plain)
}

describeWhere(isRoot, 'root', 'after a crash of the machine', () => {
  test('an image with a name is whole: its layers were flushed before', async () => {
    const image = await store.images.createImage(configOf([await addPlain()]), { tags: ['named'] })
    await meanwhile(asAfterReboot)
    expect((await store.images.inspect('named')).id).toBe(image.id)
    expect(complaints).toEqual([])
  })

  test('what only the build cache had, and was not flushed, is forgotten', async () => {
    await store.images.createImage(configOf([await addPlain()]), { keep: 'build-cache' })
    await meanwhile(asAfterReboot)
    expect(await store.ledger()).toEqual([])
    expect(complaints).toEqual(['a layer was not on the disk when the machine went down'])
  })

  test('a cached image that gets a name is flushed then', async () => {
    const { id } = await store.images.createImage(configOf([await addPlain()]), { keep: 'build-cache' })
    await store.images.tag(id, 'named')
    await meanwhile(asAfterReboot)
    expect((await store.images.inspect('named')).id).toBe(id)
  })

  test('a container keeps its layers, and its own files', async () => {
    const diffId = await addPlain()
    await store.images.createImage(configOf([diffId]), { keep: 'build-cache' })
    await store.snapshots.prepare('c', [diffId])
    fs.writeFileSync(join(await store.snapshots.mount('c'), 'mine'), 'x')
    await store.snapshots.unmount('c')
    await meanwhile(asAfterReboot)
    expect(fs.readdirSync(await store.snapshots.mount('c')).sort()).toEqual(['f', 'mine'])
  })
})

describeWhere(isRoot, 'root', 'files that are gone', () => {
  test('a layer with a blob is unpacked again', async () => {
    const diffId = await loadZipped()
    await meanwhile((folder) => fs.rmSync(folder(diffId), { recursive: true }))
    const layer = await store.images.layerDir(diffId)
    expect(fs.readFileSync(join(layer, 'f'), 'utf8')).toBe('content')
    expect(complaints).toEqual(['a layer is unpacked again, its files were gone'])
    expect(await garbageOf(store, dir)).toEqual([])
  })

  test('a layer without one takes its images along, and it is said', async () => {
    const diffId = await addPlain()
    await store.images.createImage(configOf([diffId]), { tags: ['lost'] })
    await meanwhile((folder) => fs.rmSync(folder(diffId), { recursive: true }))
    expect(await store.images.list()).toEqual([])
    expect(complaints).toEqual(['the files of a layer are gone, and what needs it with them'])
  })

  test('files that no record knows are removed, and a known layer stays', async () => {
    const diffId = await addPlain()
    await store.images.createImage(configOf([diffId]), { tags: ['kept'] })
    await meanwhile((folder) => {
      fs.cpSync(folder(diffId), join(dir, 'layers', 'f'.repeat(64)), { recursive: true })
      fs.mkdirSync(join(dir, 'layers/.new-0123'))
      fs.writeFileSync(join(dir, 'content/tmp/left'), 'x')
    })
    expect(fs.readdirSync(join(dir, 'layers'))).toEqual([diffId.slice(7)])
    expect(await garbageOf(store, dir)).toEqual([])
  })

  test('a commit that was recorded but not moved is finished', async () => {
    const base = await addPlain()
    await store.images.createImage(configOf([base]), { tags: ['base'] })
    await store.snapshots.prepare('c', [base])
    fs.writeFileSync(join(await store.snapshots.mount('c'), 'mine'), 'data')
    await store.snapshots.unmount('c')
    const { diffId } = await store.snapshots.commit('c')
    const upper = join(dir, 'snapshots/c/upper')
    await meanwhile((folder) => {
      fs.rmdirSync(upper)
      fs.renameSync(join(folder(diffId), 'fs'), upper)
    })
    expect(fs.readdirSync(await store.snapshots.mount('c')).sort()).toEqual(['f', 'mine'])
    expect(fs.readdirSync(await store.images.layerDir(diffId))).toEqual(['mine'])
    expect(complaints).toEqual([])
  })
})
