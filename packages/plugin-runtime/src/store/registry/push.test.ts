import type { ProgressMessage } from '@kernel/contracts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Store } from '../index.ts'
import {
  describeWhere,
  garbageOf,
  hasProgram,
  isRoot,
  makeImage,
  openStore,
  temporaryFolder,
} from '../testing/fixture.ts'
import { pushImage, startRegistry, startTokenServer } from '../testing/registry.ts'

const able = isRoot && hasProgram('docker-registry') && hasProgram('openssl')
const secret = { username: 'user', password: 'secret' }

let dir = ''
let remove = () => {}
let store: Store
let lines: ProgressMessage[] = []
const servers: Array<{ stop: () => Promise<void> }> = []
beforeEach(async () => {
  ;({ dir, remove } = temporaryFolder())
  lines = []
  store = await openStore(`${dir}/data`, { registry: { backoff: 5 } })
})
afterEach(async () => {
  await store.close()
  for (const server of servers.splice(0)) await server.stop()
  remove()
})

const collectLines = (line: ProgressMessage) => lines.push(line)

describeWhere(able, 'root, docker-registry and openssl', 'push to docker-registry', () => {
  test('what was built here is pushed, and pulled again by its digest', async () => {
    const registry = await startRegistry(dir)
    servers.push(registry)
    const ref = `${registry.host}/built/app:v1`
    const { id } = await makeImage(store, 'built here', [ref, `${registry.host}/built/app:v2`])
    const pushed = await store.images.push(`${registry.host}/built/app`, {}, collectLines)
    expect(pushed.map(({ tag }) => tag)).toEqual(['v1', 'v2'])
    const [{ digest, size }] = pushed as [(typeof pushed)[number]]
    expect(lines[0]).toEqual({ status: `The push refers to repository [${registry.host}/built/app]` })
    expect(lines).toContainEqual({ status: `v1: digest: ${digest} size: ${size}` })
    expect(lines).toContainEqual({ progressDetail: {}, aux: { Tag: 'v1', Digest: digest, Size: size } })
    const statuses = lines.map(({ status }) => status)
    expect(statuses.indexOf('Pushed')).toBeLessThan(statuses.indexOf('Layer already exists'))
    expect((await store.images.inspect(id)).repoDigests).toEqual([`${registry.host}/built/app@${digest}`])
    await store.images.remove(id, { force: true })
    expect(await store.images.pull(`${registry.host}/built/app@${digest}`, {}, collectLines)).toMatchObject({
      id,
    })
    expect(await garbageOf(store, `${dir}/data`)).toEqual([])
  })

  test('layers that were pulled go on as they came', async () => {
    const registry = await startRegistry(dir)
    servers.push(registry)
    const { layers } = await pushImage(registry.host, 'from/here', 'v1', ['one', 'two'])
    await store.images.pull(`${registry.host}/from/here:v1`, {}, collectLines)
    await store.images.tag(`${registry.host}/from/here:v1`, `${registry.host}/to/there:v2`)
    await store.images.push(`${registry.host}/to/there:v2`, {}, collectLines)
    const manifest = await fetch(`http://${registry.host}/v2/to/there/manifests/v2`, {
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
    }).then((response) => response.json() as Promise<{ layers: Array<{ digest: string }> }>)
    expect(manifest.layers.map(({ digest }) => digest)).toEqual(layers.map(({ digest }) => digest))
  })

  test('with a token, and not without', async () => {
    const tokens = await startTokenServer(dir)
    const registry = await startRegistry(dir, { realm: tokens.realm })
    servers.push(registry, tokens)
    const ref = `${registry.host}/guarded/app:v1`
    await makeImage(store, 'guarded', [ref])
    await expect(store.images.push(ref, {}, collectLines)).rejects.toMatchObject({ kind: 'unauthorized' })
    expect(await store.images.push(ref, { auth: secret }, collectLines)).toHaveLength(1)
    // The registry names the actions in its challenge, in whatever order.
    expect(tokens.asked.at(-1)!.searchParams.get('scope')).toMatch(
      /^repository:guarded\/app:(pull,push|push,pull)$/,
    )
  })

  test('a tag that is not here', async () => {
    await expect(store.images.push('127.0.0.1:1/no/such:v1', {}, collectLines)).rejects.toThrow(
      'An image does not exist locally with the tag: 127.0.0.1:1/no/such:v1',
    )
  })
})
