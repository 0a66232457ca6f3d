import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'
import type { ProgressMessage } from '@kernel/contracts'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Store } from '../index.ts'
import {
  describeWhere,
  garbageOf,
  hasProgram,
  isRoot,
  openStore,
  temporaryFolder,
} from '../testing/fixture.ts'
import {
  HERE,
  pushImage,
  startProxy,
  startRegistry,
  startTokenServer,
  type TestRegistry,
} from '../testing/registry.ts'

const able = isRoot && hasProgram('docker-registry')
const registry = { backoff: 5 }
const big = randomBytes(400_000)

let registryDir = ''
let removeRegistry = () => {}
let real: TestRegistry
let pushed: Awaited<ReturnType<typeof pushImage>>
beforeAll(async () => {
  if (!able) return
  ;({ dir: registryDir, remove: removeRegistry } = temporaryFolder())
  real = await startRegistry(registryDir)
  pushed = await pushImage(real.host, 'team/app', 'v1', ['first', 'second', 'third', 'fourth', big])
  await pushImage(real.host, 'secret/app', 'v1', ['hidden'])
})
afterAll(async () => {
  await real?.stop()
  removeRegistry()
})

let dir = ''
let remove = () => {}
let store: Store
let lines: ProgressMessage[] = []
beforeEach(async () => {
  ;({ dir, remove } = temporaryFolder())
  lines = []
  store = await openStore(dir, { registry })
})
afterEach(async () => {
  await store.close()
  for (const server of servers.splice(0)) await server.stop()
  remove()
})

const servers: Array<{ stop: () => Promise<void> }> = []
/** Stops the server after the test, however it ends. */
async function started<T extends { stop: () => Promise<void> }>(starting: Promise<T>): Promise<T> {
  const server = await starting
  servers.push(server)
  return server
}

const collectLines = (line: ProgressMessage) => lines.push(line)
const pull = (ref: string, options: Parameters<Store['images']['pull']>[1] = {}) =>
  store.images.pull(ref, options, collectLines)
const statusesOf = (id: string) => [
  ...new Set(lines.filter((line) => line.id === id).map(({ status }) => status)),
]
const shortOf = (digest: string) => digest.slice(7, 19)

describeWhere(able, 'root and docker-registry', 'pull from docker-registry', () => {
  test('says what dockerd says, and stores what was pushed', async () => {
    const ref = `${real.host}/team/app:v1`
    const { id, digest, updated } = await pull(ref)
    expect([digest, updated]).toEqual([pushed.list.digest, true])
    expect(lines[0]).toEqual({ status: 'Pulling from team/app', id: 'v1' })
    const steps = [
      'Pulling fs layer',
      'Downloading',
      'Verifying Checksum',
      'Download complete',
      'Extracting',
      'Pull complete',
    ]
    for (const layer of pushed.layers) {
      const statuses = statusesOf(shortOf(layer.digest)).filter((status) => status !== 'Waiting')
      expect(statuses).toEqual(steps.filter((step) => statuses.includes(step)))
      expect(statuses).toEqual(
        expect.arrayContaining(['Pulling fs layer', 'Download complete', 'Pull complete']),
      )
    }
    expect(lines.slice(-2)).toEqual([
      { status: `Digest: ${digest}` },
      { status: `Status: Downloaded newer image for ${ref}` },
    ])
    const image = await store.images.inspect(ref)
    expect(image.config.architecture).toBe(HERE)
    expect(image.repoDigests).toEqual([`${real.host}/team/app@${digest}`])
    expect((await store.images.inspect(`${real.host}/team/app@${digest}`)).id).toBe(id)
    const top = await store.images.layerDir(image.diffIds.at(-1)!)
    expect(fs.readFileSync(join(top, 'file4')).equals(big)).toBe(true)
    expect(await garbageOf(store, dir)).toEqual([])
  })

  test('again: it is up to date, and nothing is fetched', async () => {
    const proxy = await started(startProxy(real.host, () => undefined))
    const ref = `${proxy.host}/team/app:v1`
    await pull(ref)
    lines = []
    proxy.requests.length = 0
    expect(await pull(ref)).toMatchObject({ updated: false })
    expect(lines.at(-1)).toEqual({ status: `Status: Image is up to date for ${ref}` })
    expect(statusesOf(shortOf(pushed.layers[0]!.digest))).toEqual(['Already exists'])
    expect(proxy.requests.filter(({ path }) => path.includes('/blobs/'))).toEqual([])
  })

  test('by digest: no tag, and it is found by the digest alone', async () => {
    const ref = `${real.host}/team/app@${pushed.list.digest}`
    const { id } = await pull(ref)
    expect(await store.images.inspect(id)).toMatchObject({ repoTags: [], repoDigests: [ref] })
    expect(await store.images.remove(ref)).toEqual([{ untagged: ref }, { deleted: id }])
    expect(await store.ledger()).toEqual([])
  })

  test('another platform on demand; one that is not there is refused', async () => {
    const other = HERE === 'amd64' ? 'arm64' : 'amd64'
    const { id } = await pull(`${real.host}/team/app:v1`, { platform: `linux/${other}` })
    expect((await store.images.inspect(id)).config.architecture).toBe(other)
    await expect(pull(`${real.host}/team/app:v1`, { platform: 'linux/s390x' })).rejects.toThrow(
      'no matching manifest for linux/s390x in the manifest list entries',
    )
  })

  test("what is not there: dockerd's words, and not a line before", async () => {
    await expect(pull(`${real.host}/team/app:nope`)).rejects.toMatchObject({
      kind: 'not-found',
      message: `manifest for ${real.host}/team/app:nope not found: manifest unknown: manifest unknown`,
    })
    expect(lines).toEqual([])
    const gone = await openRefused()
    await expect(pull(`${gone}/x`)).rejects.toThrow(/failed to reach the registry http:.*ECONNREFUSED/)
  })

  async function openRefused(): Promise<string> {
    const proxy = await startProxy(real.host, () => undefined)
    await proxy.stop()
    return proxy.host
  }

  test('ensure pulls once', async () => {
    const ref = `${real.host}/team/app:v1`
    const one = await store.images.ensure(ref, collectLines)
    expect(lines.length).toBeGreaterThan(0)
    lines = []
    expect(await store.images.ensure(ref, collectLines)).toEqual(one)
    expect(lines).toEqual([])
  })
})

describeWhere(able, 'root and docker-registry', 'pull through a bad line', () => {
  const bigPath = () => `/v2/team/app/blobs/${pushed.layers.at(-1)!.digest}`

  test('a cut connection goes on where it was cut', async () => {
    let cuts = 0
    const proxy = await started(
      startProxy(real.host, ({ path }) =>
        path === bigPath() && cuts++ < 2 ? { cutAfter: 150_000 } : undefined,
      ),
    )
    await pull(`${proxy.host}/team/app:v1`)
    const ranges = proxy.requests.filter(({ path }) => path === bigPath()).map(({ range }) => range)
    expect(ranges[0]).toBeUndefined()
    expect(ranges).toHaveLength(3)
    expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? ''))).toBe(true)
  })

  test('an abandoned pull is taken up by the next one, even of another program', async () => {
    const stop = new AbortController()
    let first = true
    const proxy = await started(
      startProxy(real.host, ({ path }) => {
        if (path !== bigPath() || !first) return undefined
        first = false
        return { stallAfter: 200_000 }
      }),
    )
    const ref = `${proxy.host}/team/app:v1`
    const running = store.images.pull(ref, { signal: stop.signal }, () => {
      const partial = join(dir, 'content/partial', pushed.layers.at(-1)!.digest.slice(7))
      if (fs.existsSync(partial) && fs.statSync(partial).size >= 100_000) stop.abort(new Error('gone away'))
    })
    const tick = setInterval(() => {
      const partial = join(dir, 'content/partial', pushed.layers.at(-1)!.digest.slice(7))
      if (fs.existsSync(partial) && fs.statSync(partial).size >= 200_000) stop.abort(new Error('gone away'))
    }, 10)
    await expect(running).rejects.toThrow('gone away')
    clearInterval(tick)
    await store.close()
    store = await openStore(dir, { registry })
    expect((await store.ledger()).filter(({ kind }) => kind === 'partial').length).toBeGreaterThan(0)
    await pull(ref)
    const ranges = proxy.requests.filter(({ path }) => path === bigPath()).map(({ range }) => range)
    expect(ranges[1]).toMatch(/^bytes=[1-9]\d{4,}-$/)
    expect(await garbageOf(store, dir)).toEqual([])
    expect((await store.ledger()).filter(({ kind }) => kind === 'partial')).toEqual([])
  })

  test('a registry without ranges: from the start again', async () => {
    let cuts = 0
    const proxy = await started(
      startProxy(real.host, ({ path, range }) => {
        if (path !== bigPath()) return undefined
        return cuts++ === 0 ? { cutAfter: 100_000 } : { dropRange: range !== undefined }
      }),
    )
    await pull(`${proxy.host}/team/app:v1`)
    expect(await garbageOf(store, dir)).toEqual([])
  })

  test('a damaged blob is refused and thrown away; nothing counts as pulled', async () => {
    const proxy = await started(
      startProxy(real.host, ({ path }) => (path === bigPath() ? { flipByte: 5000 } : undefined)),
    )
    const ref = `${proxy.host}/team/app:v1`
    await expect(pull(ref)).rejects.toThrow(
      `filesystem layer verification failed for digest ${pushed.layers.at(-1)!.digest}`,
    )
    await expect(store.images.inspect(ref)).rejects.toThrow('No such image')
    const damaged = pushed.layers.at(-1)!.digest
    expect(fs.existsSync(join(dir, 'content/partial', damaged.slice(7)))).toBe(false)
    // What did arrive well waits for the next pull, or for prune.
    expect((await store.ledger()).every(({ kind }) => kind === 'partial')).toBe(true)
    await store.images.prune()
    expect(await store.ledger()).toEqual([])
    expect(await garbageOf(store, dir)).toEqual([])
  })

  test('a manifest that is not what its digest says is refused', async () => {
    const proxy = await started(
      startProxy(real.host, ({ path }) =>
        path.includes('/manifests/sha256') ? { flipByte: 60 } : undefined,
      ),
    )
    await expect(pull(`${proxy.host}/team/app:v1`)).rejects.toThrow('manifest verification failed for digest')
  })

  test('5xx and 429 pass; a registry that keeps failing is given up', async () => {
    let failures = 2
    const proxy = await started(
      startProxy(real.host, () => (failures-- > 0 ? { status: failures % 2 ? 429 : 503 } : undefined)),
    )
    await pull(`${proxy.host}/team/app:v1`)
    failures = 1000
    await expect(pull(`${proxy.host}/team/app:v1`)).rejects.toThrow(/unexpected status (503|429)/)
  })
})

describeWhere(able, 'root and docker-registry', 'pull from a registry that asks who calls', () => {
  test('by htpasswd', async () => {
    const guarded = await started(startRegistry(registryDir, 'htpasswd'))
    const ref = `${guarded.host}/secret/app:v1`
    await expect(pull(ref)).rejects.toMatchObject({
      kind: 'unauthorized',
      message: expect.stringContaining(
        `pull access denied for ${guarded.host}/secret/app, repository does not exist or may require 'docker login'`,
      ),
    })
    await expect(pull(ref, { auth: { username: 'user', password: 'wrong' } })).rejects.toMatchObject({
      kind: 'unauthorized',
    })
    expect(await pull(ref, { auth: { username: 'user', password: 'secret' } })).toMatchObject({
      updated: true,
    })
  })

  test.runIf(hasProgram('openssl'))('by tokens of a token server', async () => {
    const tokens = await started(startTokenServer(registryDir))
    const guarded = await started(startRegistry(registryDir, { realm: tokens.realm }))
    const ref = `${guarded.host}/secret/app:v1`
    await expect(pull(ref, { auth: { username: 'user', password: 'wrong' } })).rejects.toMatchObject({
      kind: 'unauthorized',
    })
    tokens.asked.length = 0
    expect(await pull(ref, { auth: { username: 'user', password: 'secret' } })).toMatchObject({
      updated: true,
    })
    expect(tokens.asked.map((url) => url.searchParams.get('scope'))).toEqual(['repository:secret/app:pull'])
    expect(tokens.asked[0]!.searchParams.get('service')).toBe('test-registry')
  })
})
