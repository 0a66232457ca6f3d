import fs from 'node:fs'
import { join } from 'node:path'
import type { Digest } from '@kernel/contracts'
import { isMountPoint } from '@kernel/sys'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Store } from './index.ts'
import {
  configOf,
  describeWhere,
  garbageOf,
  isRoot,
  openStore,
  streamOf,
  tarOf,
  temporaryFolder,
} from './testing/fixture.ts'

let dir = ''
let remove = () => {}
let store: Store
beforeEach(async () => {
  ;({ dir, remove } = temporaryFolder())
  store = await openStore(dir)
})
afterEach(async () => {
  await store.close()
  remove()
})

async function layerOf(...items: Parameters<typeof tarOf>) {
  return (await store.images.addLayerFromTar(streamOf(tarOf(...items)))).diffId
}

describeWhere(isRoot, 'root', 'snapshots', () => {
  test('layers lie over each other as their whiteouts say', async () => {
    const base = await layerOf(
      { path: 'a', data: '1' },
      { path: 'd/x', data: 'x' },
      { path: 'o/old', data: 'o' },
    )
    const top = await layerOf(
      { path: '.wh.a' },
      { path: 'd/x', data: 'X' },
      { path: 'o/.wh..wh..opq' },
      { path: 'o/new' },
    )
    await store.snapshots.prepare('c1', [base, top])
    const root = await store.snapshots.mount('c1')
    expect(fs.readdirSync(root).sort()).toEqual(['d', 'o'])
    expect(fs.readFileSync(join(root, 'd/x'), 'utf8')).toBe('X')
    expect(fs.readdirSync(join(root, 'o'))).toEqual(['new'])
    expect(fs.statSync(root).mode & 0o777).toBe(0o755)
  })

  test('300 layers', async () => {
    const layers: Digest[] = []
    for (let i = 0; i < 300; i++)
      layers.push(await layerOf({ path: `f${i}`, data: `${i}` }, { path: 'top', data: `${i}` }))
    await store.snapshots.prepare('many', layers)
    const root = await store.snapshots.mount('many')
    expect(fs.readdirSync(root)).toHaveLength(301)
    expect(fs.readFileSync(join(root, 'top'), 'utf8')).toBe('299')
    fs.writeFileSync(join(root, 'f7'), 'changed')
    expect(fs.readFileSync(join(root, 'f7'), 'utf8')).toBe('changed')
    await expect(store.snapshots.prepare('more', new Array(501).fill(layers[0]))).rejects.toThrow(
      '501 layers',
    )
  })

  test('no layer at all: an empty root', async () => {
    await store.snapshots.prepare('scratch', [])
    const root = await store.snapshots.mount('scratch')
    fs.writeFileSync(join(root, 'f'), 'x')
    expect(fs.readdirSync(root)).toEqual(['f'])
  })

  test.each([
    ['mounted', 'c'],
    ['unmounted', 'c'],
    ['unmounted', 'build-c'],
  ])('a commit of the %s snapshot %s holds what was changed, and the snapshot goes on', async (how, key) => {
    const base = await layerOf(
      { path: 'gone', data: '1' },
      { path: 'd/x', data: 'x' },
      { path: 'r/y', data: 'y' },
    )
    await store.snapshots.prepare(key, [base])
    let root = await store.snapshots.mount(key)
    fs.rmSync(join(root, 'gone'))
    fs.rmSync(join(root, 'd'), { recursive: true })
    fs.mkdirSync(join(root, 'd'))
    fs.writeFileSync(join(root, 'd/new'), 'n')
    fs.chownSync(join(root, 'd/new'), 12, 13)
    if (how === 'unmounted') await store.snapshots.unmount(key)
    const { diffId, size } = await store.snapshots.commit(key)
    expect(size).toBe(1)
    root = await store.snapshots.mount(key)
    expect(fs.readFileSync(join(root, 'd/new'), 'utf8')).toBe('n')
    expect(fs.readdirSync(root).sort()).toEqual(['d', 'r'])
    fs.writeFileSync(join(root, 'later'), '')

    await store.snapshots.prepare('over', [base, diffId])
    const over = await store.snapshots.mount('over')
    expect(fs.readdirSync(over).sort()).toEqual(['d', 'r'])
    expect(fs.readdirSync(join(over, 'd'))).toEqual(['new'])
    expect(fs.statSync(join(over, 'd/new')).uid).toBe(12)

    // The same bytes however the layer came to be: the archive of it is one that others unpack alike.
    const image = await store.images.createImage(configOf([base, diffId]))
    await store.images.save([image.id]).then(async (stream) => {
      let total = 0
      for await (const piece of stream) total += piece.length
      expect(total).toBeGreaterThan(2048)
    })
  })

  test('a snapshot outlives the program: mounted or not, its record and changes are there', async () => {
    const base = await layerOf({ path: 'a', data: '1' })
    await store.images.createImage(configOf([base]), { tags: ['base'] })
    await store.snapshots.prepare('kept', [base])
    const root = await store.snapshots.mount('kept')
    fs.writeFileSync(join(root, 'mine'), 'data')
    await store.close()
    store = await openStore(dir)
    expect(await store.snapshots.mount('kept')).toBe(root)
    await store.snapshots.unmount('kept')
    expect(isMountPoint(root)).toBe(false)
    await store.snapshots.mount('kept')
    expect(fs.readFileSync(join(root, 'mine'), 'utf8')).toBe('data')
    await expect(store.snapshots.prepare('kept', [base])).rejects.toThrow('exists already')
  })

  test('removal unmounts, and a folder without a record is swept at the start', async () => {
    const base = await layerOf({ path: 'a', data: '1' })
    await store.snapshots.prepare('x', [base])
    const root = await store.snapshots.mount('x')
    fs.writeFileSync(join(root, 'weird').concat('\u00ff'), 'x')
    await store.snapshots.remove('x')
    await store.snapshots.remove('x')
    expect(await store.snapshots.keys()).toEqual([])
    expect(fs.existsSync(join(dir, 'snapshots/x'))).toBe(false)
    await expect(store.snapshots.mount('x')).rejects.toThrow('No such snapshot: x')

    await store.snapshots.prepare('y', [base])
    await store.snapshots.mount('y')
    fs.cpSync(join(dir, 'snapshots/y/upper'), join(dir, 'snapshots/stray/upper'), { recursive: true })
    await store.close()
    store = await openStore(dir)
    expect(fs.readdirSync(join(dir, 'snapshots'))).toEqual(['y'])
    expect(await garbageOf(store, dir)).toEqual([])
  })

  test('a layer stays for as long as a snapshot stands on it', async () => {
    const base = await layerOf({ path: 'a', data: '1' })
    const image = await store.images.createImage(configOf([base]), { tags: ['base'] })
    await store.snapshots.prepare('c', [base])
    await store.images.remove('base', { force: true })
    await expect(store.images.inspect(image.id)).rejects.toThrow('No such image')
    const root = await store.snapshots.mount('c')
    expect(fs.readFileSync(join(root, 'a'), 'utf8')).toBe('1')
    await store.snapshots.remove('c')
    expect(await store.ledger()).toEqual([])
  })

  test('keys that would be paths are refused', async () => {
    for (const key of ['../x', 'a/b', '', '.', '..'])
      await expect(store.snapshots.prepare(key, [])).rejects.toThrow('not a name')
    await store.snapshots.remove('../layers')
    expect(fs.existsSync(join(dir, 'layers'))).toBe(true)
  })
})
