import fs from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { digestOf } from '../content.ts'
import type { ImageEvent, Store } from '../index.ts'
import {
  bytesOf,
  configOf,
  describeWhere,
  garbageOf,
  type Item,
  isRoot,
  makeImage,
  openStore,
  streamOf,
  tarOf,
  temporaryFolder,
} from '../testing/fixture.ts'

let dir = ''
let remove = () => {}
let store: Store
let events: ImageEvent[] = []
beforeEach(async () => {
  ;({ dir, remove } = temporaryFolder())
  events = []
  store = await openStore(dir, { onEvent: (event) => events.push(event) })
})
afterEach(async () => {
  await store.close()
  remove()
})

const short = (id: string) => id.slice(7, 19)
const nothing = () => {}

describeWhere(isRoot, 'root', 'images', () => {
  test('are found by tag, digest, id and prefix of the id', async () => {
    const { id } = await makeImage(store, 'a', ['busybox', 'quay.io/x/y:v1'])
    for (const ref of [
      'busybox',
      'busybox:latest',
      'docker.io/library/busybox',
      'quay.io/x/y:v1',
      id,
      id.slice(7),
      short(id),
      `sha256:${short(id)}`,
    ])
      expect((await store.images.inspect(ref)).id).toBe(id)
    for (const ref of ['busybox:1', 'quay.io/x/y', 'nope'])
      await expect(store.images.inspect(ref)).rejects.toThrow(
        `No such image: ${ref.includes(':') ? ref : `${ref}:latest`}`,
      )
    await expect(store.images.inspect('UPPER')).rejects.toMatchObject({ kind: 'invalid' })
    await expect(store.images.inspect(`sha256:${'0'.repeat(64)}`)).rejects.toMatchObject({
      kind: 'not-found',
    })
  })

  test('a prefix of several ids is refused', async () => {
    const seen = new Map<string, string>()
    for (let i = 0; ; i++) {
      const { id } = await store.images.createImage(configOf([], String(i)))
      const digit = id.slice(7, 8)
      if (seen.has(digit)) {
        await expect(store.images.inspect(digit)).rejects.toThrow('multiple IDs found with provided prefix')
        return
      }
      seen.set(digit, id)
    }
  })

  test('the same content has the same id, whatever the order of its keys', async () => {
    const one = await store.images.createImage({ ...configOf([]), author: 'me' })
    const { author, ...rest } = one.config
    const two = await store.images.createImage({ author, ...rest })
    expect(two.id).toBe(one.id)
    expect(await store.images.list()).toHaveLength(1)
    await expect(store.images.createImage(configOf([`sha256:${'1'.repeat(64)}`]))).rejects.toThrow(
      'there is no layer',
    )
  })

  test('a tag moves, and leaves a dangling image', async () => {
    const old = await makeImage(store, 'old', ['app'])
    const now = await makeImage(store, 'new', ['app'])
    expect((await store.images.inspect('app')).id).toBe(now.id)
    const dangling = await store.images.list({ filters: { dangling: ['true'] } })
    expect(dangling.map(({ id, repoTags }) => [id, repoTags])).toEqual([[old.id, []]])
    await expect(store.images.tag('app', `x@${now.id}`)).rejects.toThrow('digest reference')
    const pruned = await store.images.prune()
    expect(pruned.deleted).toEqual([old.id])
    expect(pruned.spaceReclaimed).toBeGreaterThan(0)
    expect(await garbageOf(store, dir)).toEqual([])
  })

  test('lists are filtered as with docker', async () => {
    await makeImage(store, 'a', ['foo/bar:1', 'foo/bar:2'])
    await makeImage(store, 'b', ['busybox'])
    const tags = async (filters: Record<string, string[]>) =>
      (await store.images.list({ filters })).flatMap(({ repoTags }) => repoTags).sort()
    expect(await tags({ reference: ['foo/bar'] })).toEqual(['foo/bar:1', 'foo/bar:2'])
    expect(await tags({ reference: ['*/*:2'] })).toEqual(['foo/bar:2'])
    expect(await tags({ reference: ['busy*'] })).toEqual(['busybox:latest'])
    expect(await tags({ reference: ['*'] })).toEqual(['busybox:latest'])
    expect(await tags({ label: ['note=b'] })).toEqual(['busybox:latest'])
    expect(await tags({ label: ['note'] })).toHaveLength(3)
    expect(await tags({ before: ['busybox'] })).toEqual([])
    await expect(tags({ color: ['red'] })).rejects.toThrow("invalid filter 'color'")
    await expect(tags({ dangling: ['maybe'] })).rejects.toThrow('invalid value')
  })

  test('history: newest first, with the ids of parents that are here', async () => {
    const layer = await store.images.addLayerFromTar(streamOf(tarOf({ path: 'f', data: '12345' })))
    const base = await store.images.createImage(configOf([layer.diffId]), { tags: ['base'] })
    const config = configOf([layer.diffId])
    config.history!.push({ created_by: 'CMD', empty_layer: true })
    await store.images.createImage(config, { tags: ['top'], parent: base.id })
    const rows = await store.images.history('top')
    expect(rows.map(({ created_by, size, tags }) => [created_by, size, tags])).toEqual([
      ['CMD', 0, ['top:latest']],
      ['step 0', 5, ['base:latest']],
    ])
    expect(rows[1]!.id).toBe(base.id)
  })
})

describeWhere(isRoot, 'root', 'removal', () => {
  test('one name of several only untags', async () => {
    const { id } = await makeImage(store, 'a', ['one', 'two'])
    expect(await store.images.remove('one')).toEqual([{ untagged: 'one:latest' }])
    await expect(store.images.remove('one')).rejects.toThrow('No such image: one:latest')
    expect(await store.images.remove('two')).toEqual([{ untagged: 'two:latest' }, { deleted: id }])
    expect(await store.ledger()).toEqual([])
    expect(fs.readdirSync(join(dir, 'layers')).filter((name) => name !== 'empty')).toEqual([])
    expect(events.map(({ action }) => action)).toEqual(['untag', 'untag', 'delete'])
  })

  test('by id of an image with several names: only by force', async () => {
    const { id } = await makeImage(store, 'a', ['one', 'two'])
    await expect(store.images.remove(short(id))).rejects.toThrow(
      `conflict: unable to delete ${short(id)} (must be forced) - image is referenced in multiple repositories`,
    )
    const removals = await store.images.remove(short(id), { force: true })
    expect(removals).toEqual([{ untagged: 'one:latest' }, { untagged: 'two:latest' }, { deleted: id }])
  })

  test("what a container uses stays, with dockerd's words", async () => {
    const { id } = await makeImage(store, 'a', ['used'])
    const container = 'c0ffee'.repeat(11).slice(0, 64)
    let running = false
    store.images.setUsers(
      (image) => (image === id ? [container] : []),
      () => running,
    )
    await expect(store.images.remove('used')).rejects.toMatchObject({
      kind: 'conflict',
      message: `conflict: unable to remove repository reference "used" (must force) - container ${container.slice(0, 12)} is using its referenced image ${short(id)}`,
    })
    await expect(store.images.remove(id)).rejects.toThrow(
      `conflict: unable to delete ${short(id)} (must be forced) - image is being used by stopped container ${container.slice(0, 12)}`,
    )
    running = true
    await expect(store.images.remove(id, { force: true })).rejects.toThrow(
      `conflict: unable to delete ${short(id)} (cannot be forced) - image is being used by running container ${container.slice(0, 12)}`,
    )
    expect((await store.images.inspect('used')).containers).toBe(1)
    expect(await store.images.remove('used', { force: true })).toEqual([{ untagged: 'used:latest' }])
    expect((await store.images.prune()).deleted).toEqual([])
    running = false
    expect(await store.images.remove(id, { force: true })).toEqual([{ deleted: id }])
  })

  test('parents without a name go along; those with children stay', async () => {
    const base = await store.images.createImage(configOf([], 'base'), { tags: ['base'] })
    const middle = await store.images.createImage(configOf([], 'middle'), {
      parent: base.id,
      keep: 'build-cache',
    })
    const top = await store.images.createImage(configOf([], 'top'), { parent: middle.id, tags: ['top'] })
    expect((await store.images.list()).map(({ id }) => id).sort()).toEqual([base.id, top.id].sort())
    expect(await store.images.list({ all: true })).toHaveLength(3)
    await expect(store.images.remove(middle.id, { force: true })).rejects.toThrow(
      '(cannot be forced) - image has dependent child images',
    )
    expect(await store.images.remove('top')).toEqual([
      { untagged: 'top:latest' },
      { deleted: top.id },
      { deleted: middle.id },
    ])
    expect(await store.images.kept('build-cache')).toEqual([])
    expect((await store.images.inspect('base')).id).toBe(base.id)
  })

  test('a keep pins an image until it is taken back', async () => {
    const layer = await store.images.addLayerFromTar(streamOf(tarOf({ path: 'f', data: 'x'.repeat(9000) })))
    const { id } = await store.images.createImage(configOf([layer.diffId]), { keep: 'artifact hello' })
    await expect(store.images.remove(id, { force: true })).rejects.toThrow('image is kept by artifact hello')
    expect((await store.images.prune({ filters: { dangling: ['false'] } })).deleted).toEqual([])
    expect(await store.images.kept('artifact hello')).toEqual([id])
    expect(await store.images.unkeep('artifact hello')).toBeGreaterThan(9000)
    expect(await store.ledger()).toEqual([])
    expect(await store.images.hasLayer(layer.diffId)).toBe(false)
  })

  test('prune of all spares what is in use', async () => {
    const used = await makeImage(store, 'a', ['used'])
    const free = await makeImage(store, 'b', ['free'])
    store.images.setUsers((id) => (id === used.id ? ['c1'] : []))
    const { deleted } = await store.images.prune({ filters: { dangling: ['false'] } })
    expect(deleted).toEqual(['free:latest', free.id])
    await expect(store.images.prune({ filters: { nonsense: ['1'] } })).rejects.toThrow(
      "invalid filter 'nonsense'",
    )
  })
})

describeWhere(isRoot, 'root', 'archives', () => {
  test('what was saved is loaded again, the same to the last byte', async () => {
    const one = await makeImage(store, 'one', ['one', 'reg.example:5000/two:v2'])
    const two = await makeImage(store, 'two', ['three'])
    const archive = await bytesOf(await store.images.save(['one', 'reg.example:5000/two:v2', two.id]))
    for (const name of ['one', 'reg.example:5000/two:v2', 'three']) await store.images.remove(name)
    expect(await store.ledger()).toEqual([])
    const lines: unknown[] = []
    expect(await store.images.load(streamOf(archive), (line) => lines.push(line.stream))).toEqual([
      'one:latest',
      'reg.example:5000/two:v2',
      two.id,
    ])
    expect(lines).toContain('Loaded image: one:latest\n')
    expect(lines).toContain(`Loaded image ID: ${two.id}\n`)
    expect((await store.images.inspect('one')).id).toBe(one.id)
    expect(await garbageOf(store, dir)).toEqual([])
    const again = await bytesOf(await store.images.save(['one', 'reg.example:5000/two:v2', two.id]))
    expect(again.equals(archive)).toBe(true)
    // The whole archive may be compressed.
    expect(await store.images.load(streamOf(gzipSync(archive)), nothing)).toHaveLength(3)
  })

  const layer = tarOf({ path: 'f', data: 'layer' })
  const config = Buffer.from(JSON.stringify(configOf([digestOf(layer)])))

  test('the old form of docker save', async () => {
    const hex = digestOf(config).slice(7)
    const archive = tarOf(
      { path: 'abc/layer.tar', data: layer },
      { path: 'def', type: '5' },
      { path: 'def/layer.tar', type: '2', linkpath: '../abc/layer.tar' },
      { path: `${hex}.json`, data: config },
      {
        path: 'manifest.json',
        data: JSON.stringify([{ Config: `${hex}.json`, RepoTags: ['old:1'], Layers: ['def/layer.tar'] }]),
      },
    )
    expect(await store.images.load(streamOf(archive), nothing)).toEqual(['old:1'])
    expect((await store.images.inspect('old:1')).id).toBe(digestOf(config))
  })

  function ociLayout(layerBytes: Buffer, configBytes: Buffer, damage?: 'layer' | 'config'): Buffer {
    const blob = (bytes: Buffer): Item => ({ path: `blobs/sha256/${digestOf(bytes).slice(7)}`, data: bytes })
    const descriptor = (bytes: Buffer) => ({ mediaType: 'x', digest: digestOf(bytes), size: bytes.length })
    const manifest = Buffer.from(
      JSON.stringify({ schemaVersion: 2, config: descriptor(configBytes), layers: [descriptor(layerBytes)] }),
    )
    const foreign = {
      mediaType: 'x',
      digest: digestOf(Buffer.from('no')),
      size: 2,
      platform: { os: 'linux', architecture: 's390x' },
    }
    const here = {
      ...descriptor(manifest),
      platform: { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' },
    }
    const list = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [foreign, here] }))
    const annotations = { 'io.containerd.image.name': 'docker.io/library/oci:1' }
    const index = { schemaVersion: 2, manifests: [{ ...descriptor(list), annotations }] }
    const hurt = (item: Item): Item => ({
      ...item,
      data: Buffer.from(item.data as Buffer).fill(0x41, 20, 21),
    })
    return tarOf(
      { path: 'oci-layout', data: '{"imageLayoutVersion":"1.0.0"}' },
      { path: 'index.json', data: JSON.stringify(index) },
      blob(list),
      blob(manifest),
      damage === 'config' ? hurt(blob(configBytes)) : blob(configBytes),
      damage === 'layer' ? hurt(blob(layerBytes)) : blob(layerBytes),
    )
  }

  test('an OCI layout with an index of platforms; a compressed layer keeps its blob', async () => {
    const zipped = gzipSync(layer)
    expect(await store.images.load(streamOf(ociLayout(zipped, config)), nothing)).toEqual(['oci:1'])
    const entries = await store.ledger()
    expect(entries.find(({ kind }) => kind === 'blob')).toMatchObject({
      id: digestOf(zipped),
      bytes: zipped.length,
    })
    const saved = await bytesOf(await store.images.save(['oci:1']))
    await store.images.remove('oci:1')
    expect(await store.ledger()).toEqual([])
    await store.images.load(streamOf(saved), nothing)
    expect((await store.images.inspect('oci:1')).diffIds).toEqual([digestOf(layer)])
  })

  test('damage is found, and leaves nothing behind', async () => {
    const zipped = gzipSync(layer)
    await expect(store.images.load(streamOf(ociLayout(zipped, config, 'layer')), nothing)).rejects.toThrow(
      'digest',
    )
    await expect(store.images.load(streamOf(ociLayout(zipped, config, 'config')), nothing)).rejects.toThrow(
      'damaged',
    )
    const wrong = Buffer.from(JSON.stringify(configOf([digestOf(Buffer.from('another'))])))
    await expect(store.images.load(streamOf(ociLayout(layer, wrong)), nothing)).rejects.toThrow('damaged')
    await expect(store.images.load(streamOf(tarOf({ path: 'f' })), nothing)).rejects.toThrow(
      'no image archive',
    )
    await expect(store.images.load(streamOf(Buffer.from('x'.repeat(2000))), nothing)).rejects.toMatchObject({
      kind: 'invalid',
    })
    await store.images.collect()
    expect(await store.ledger()).toEqual([])
    expect(await garbageOf(store, dir)).toEqual([])
  })

  test('an archive beyond the limit is refused', async () => {
    await store.close()
    store = await openStore(dir, { archiveLimit: 1000 })
    await expect(store.images.load(streamOf(ociLayout(layer, config)), nothing)).rejects.toThrow(
      'over 1000 bytes',
    )
    expect(await garbageOf(store, dir)).toEqual([])
  })
})

describeWhere(isRoot, 'root', 'layers', () => {
  test('from a folder: the same content gives the same digest', async () => {
    const tree = join(dir, 'tree')
    fs.mkdirSync(tree)
    fs.writeFileSync(join(tree, 'b'), '2')
    fs.writeFileSync(join(tree, 'a'), '1')
    const options = { owner: { uid: 1000, gid: 1000 }, mtime: 0, prefix: 'app' }
    const one = await store.images.addLayerFromDir(tree, options)
    fs.utimesSync(join(tree, 'a'), 5, 5)
    expect(await store.images.addLayerFromDir(tree, options)).toEqual(one)
    const path = await store.images.layerDir(one.diffId)
    expect(fs.readdirSync(join(path, 'app'))).toEqual(['a', 'b'])
    expect(fs.statSync(join(path, 'app/a'))).toMatchObject({ uid: 1000, gid: 1000, mtimeMs: 0 })
    expect(one.size).toBe(2)
  })

  test('a tar is checked against both its digests', async () => {
    const tar = tarOf({ path: 'f', data: 'x' })
    const zipped = gzipSync(tar)
    const wrong = digestOf(Buffer.from('wrong'))
    await expect(store.images.addLayerFromTar(streamOf(zipped), { digest: wrong })).rejects.toThrow(
      'expected',
    )
    await expect(store.images.addLayerFromTar(streamOf(zipped), { diffId: wrong })).rejects.toThrow(
      'expected',
    )
    const { diffId } = await store.images.addLayerFromTar(streamOf(zipped), {
      digest: digestOf(zipped),
      diffId: digestOf(tar),
    })
    expect(diffId).toBe(digestOf(tar))
    expect(await garbageOf(store, dir)).toEqual([])
  })
})
