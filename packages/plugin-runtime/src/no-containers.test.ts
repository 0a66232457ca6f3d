import { expect, it } from 'vitest'
import { noContainers } from './no-containers.ts'

it('has nothing, and says why it can do nothing', async () => {
  const { containers, images, builder } = noContainers('it is a potato')
  expect(await containers.list()).toEqual([])
  expect(await images.list()).toEqual([])
  await expect(containers.create('x', { Image: 'busybox' })).rejects.toMatchObject({
    kind: 'not-supported',
    message: expect.stringMatching(/it is a potato/),
  })
  await expect(builder.pruneCache()).rejects.toMatchObject({ kind: 'not-supported' })
})

it('is not taken for a promise', async () => {
  const { containers } = noContainers('of the test')
  expect(await containers).toBe(containers)
})
