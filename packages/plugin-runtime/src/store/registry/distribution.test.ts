import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWhere, hasProgram, isRoot, openStore, temporaryFolder } from '../testing/fixture.ts'
import { HERE, pushImage, startRegistry } from '../testing/registry.ts'

describeWhere(
  isRoot && hasProgram('docker-registry'),
  'root and docker-registry',
  'a look into a registry',
  () => {
    const folders = [temporaryFolder(), temporaryFolder()] as const
    let registry: Awaited<ReturnType<typeof startRegistry>>
    let store: Awaited<ReturnType<typeof openStore>>
    beforeAll(async () => {
      registry = await startRegistry(folders[0].dir)
      store = await openStore(folders[1].dir, { registry: { backoff: 5 } })
    })
    afterAll(async () => {
      await store.close()
      await registry.stop()
      for (const { remove } of folders) remove()
    })

    test('tells digest and platforms, and fetches no layer', async () => {
      const pushed = await pushImage(registry.host, 'team/app', 'v1', ['first'])
      const { descriptor, platforms } = await store.images.distribution(`${registry.host}/team/app:v1`, {})
      expect(descriptor).toEqual({
        mediaType: expect.stringContaining('application/vnd.'),
        digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
        size: expect.any(Number),
      })
      expect(platforms).toContainEqual(expect.objectContaining({ architecture: HERE, os: 'linux' }))
      expect(JSON.stringify(pushed)).toContain(descriptor.digest)
      expect(await store.images.list({ all: true })).toEqual([])
      const byDigest = `${registry.host}/team/app@${descriptor.digest}`
      expect((await store.images.distribution(byDigest, {})).descriptor).toEqual(descriptor)
    })

    test('says what is not there', async () => {
      await expect(store.images.distribution(`${registry.host}/team/nobody:v1`, {})).rejects.toMatchObject({
        kind: 'not-found',
      })
      await expect(store.images.distribution('127.0.0.1:1/x', {})).rejects.toMatchObject({ kind: 'failed' })
      await expect(store.images.distribution('UPPER', {})).rejects.toMatchObject({ kind: 'invalid' })
    })
  },
)
