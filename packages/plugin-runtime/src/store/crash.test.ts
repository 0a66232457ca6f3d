import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  bytesOf,
  describeWhere,
  garbageOf,
  hasProgram,
  isRoot,
  makeImage,
  openStore,
  temporaryFolder,
} from './testing/fixture.ts'
import { pushImage, startRegistry, type TestRegistry } from './testing/registry.ts'

const child = fileURLToPath(new URL('./testing/crash-child.ts', import.meta.url))
const files = Array.from({ length: 4 }, (_, index) => Buffer.alloc(300_000, `content ${index} `))

let registryFolder: ReturnType<typeof temporaryFolder>
let folder: ReturnType<typeof temporaryFolder>
let registry: TestRegistry | undefined
beforeEach(() => {
  registryFolder = temporaryFolder()
  folder = temporaryFolder()
})
afterEach(async () => {
  await registry?.stop()
  folder.remove()
  registryFolder.remove()
})

/** Lets the program run for `lines` lines, kills it, and tells what it had acknowledged. */
async function runAndKill(args: string[], lines: number): Promise<string[]> {
  const options = { stdio: ['ignore', 'pipe', 'inherit'] as ['ignore', 'pipe', 'inherit'] }
  const running = spawn(process.execPath, ['--conditions=source', child, ...args], options)
  const said: string[] = []
  for await (const line of createInterface(running.stdout)) {
    said.push(line)
    if (said.length >= lines) break
  }
  running.kill('SIGKILL')
  if (running.exitCode === null && running.signalCode === null) await once(running, 'exit')
  expect(said.length).toBe(lines)
  return said
}

describeWhere(isRoot && hasProgram('docker-registry'), 'root and docker-registry', 'kill -9', () => {
  test('at any moment leaves what was acknowledged, and nothing that is half', {
    timeout: 120_000,
  }, async () => {
    registry = await startRegistry(registryFolder.dir)
    const ref = `${registry.host}/crash/app:v1`
    await pushImage(registry.host, 'crash/app', 'v1', files)
    const archive = join(registryFolder.dir, 'archive.tar')
    const source = await openStore(join(registryFolder.dir, 'source'))
    await makeImage(source, 'loaded content', ['loaded'])
    fs.writeFileSync(archive, await bytesOf(await source.images.save(['loaded'])))
    await source.close()

    // Each round goes on with what the one before left, and is killed some lines later.
    for (const lines of [1, 2, 4, 7, 11, 16, 22, 26, 29, 31, 33, 36, 44, 58, 75]) {
      const said = await runAndKill([folder.dir, ref, archive], lines)
      const store = await openStore(folder.dir)
      try {
        expect(await garbageOf(store, folder.dir)).toEqual([])
        await expectWhole(store, said, ref)
      } finally {
        await store.close()
      }
    }
    const store = await openStore(folder.dir)
    for (const key of await store.snapshots.keys()) await store.snapshots.remove(key)
    for (const { id } of await store.images.list({ all: true }))
      await store.images.remove(id, { force: true })
    await store.images.prune()
    expect(await store.ledger()).toEqual([])
    await store.close()
  })
})

async function expectWhole(store: Awaited<ReturnType<typeof openStore>>, said: string[], ref: string) {
  const last = (text: string) => said.findLastIndex((line) => line.startsWith(text))
  const images = await store.images.list()
  const acknowledged = last('done pull') > last('step remove')
  if (acknowledged) expect(images.flatMap(({ repoTags }) => repoTags)).toContain(ref)
  if (last('done load') > last('step remove'))
    expect(images.flatMap(({ repoTags }) => repoTags)).toContain('loaded:latest')
  for (const { id } of images) {
    const { diffIds } = await store.images.inspect(id)
    for (const diffId of diffIds) {
      const layer = await store.images.layerDir(diffId)
      for (const name of fs.readdirSync(layer)) {
        const content = fs.readFileSync(join(layer, name))
        const expected = name === 'file' ? Buffer.from('loaded content') : files[Number(name.slice(4))]!
        expect(content.equals(expected)).toBe(true)
      }
    }
    // Every byte of it can be given away again, which checks all digests.
    expect((await bytesOf(await store.images.save([id]))).length).toBeGreaterThan(0)
  }
  const keys = await store.snapshots.keys()
  const made = said.findLast((line) => line.startsWith('done snapshot'))?.split(' ')[2]
  if (made) expect(keys).toContain(made)
  for (const key of keys) expect(fs.readdirSync(await store.snapshots.mount(key)).length).toBe(files.length)
}
