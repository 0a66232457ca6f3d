import { denied, type NetworkInspect, type VolumeInspect } from '@kernel/contracts'
import { expect, it } from 'vitest'
import { startDockerServer } from '../testing/docker-server.ts'
import { unixFetch } from '../testing/unix-fetch.ts'

const network = {
  Name: 'n',
  Id: 'a'.repeat(64),
  Containers: { c: { Name: 'c', EndpointID: '', MacAddress: '', IPv4Address: '', IPv6Address: '' } },
} as unknown as NetworkInspect
const volume: VolumeInspect = {
  Name: 'v',
  Driver: 'local',
  Mountpoint: '/v',
  CreatedAt: '2026-01-01T00:00:00Z',
  Labels: {},
  Scope: 'local',
  Options: {},
}

it('serves networks', async () => {
  const asShown = { ...network, ConfigFrom: { Network: '' }, ConfigOnly: false }
  const seen: unknown[] = []
  const { socketPath } = await startDockerServer(
    {},
    {
      networks: {
        list: async () => [network],
        inspect: async () => network,
        create: async (body) => ({ id: network.Id, warning: body.Name === 'old' ? 'old' : '' }),
        connect: async (...args) => void seen.push(['connect', ...args]),
        disconnect: async (...args) => void seen.push(['disconnect', ...args]),
        remove: async (ref) => {
          throw denied(`${ref} is a pre-defined network and cannot be removed`)
        },
        prune: async () => ({ deleted: [] }),
      },
    },
  )
  const call = (method: string, path: string, body?: unknown) => unixFetch(socketPath, method, path, { body })
  expect((await call('GET', '/networks')).json()).toEqual([{ ...asShown, Containers: {} }])
  expect((await call('GET', '/networks/n')).json()).toEqual(asShown)
  expect((await call('GET', '/v1.47/networks/n')).json()).not.toHaveProperty('EnableIPv4')
  for (const Name of ['bridge', 'host', 'none'])
    expect((await call('POST', '/networks/create', { Name })).status).toBe(403)
  expect(await call('POST', '/networks/create', { name: 'old', CheckDuplicate: true })).toMatchObject({
    status: 201,
    body: `{"Id":"${network.Id}","Warning":"old"}\n`,
  })
  expect((await call('POST', '/networks/create', {})).status).toBe(400)
  await call('POST', '/networks/n/connect', {
    Container: 'c',
    EndpointConfig: { Aliases: ['db'], Links: null },
  })
  await call('POST', '/networks/n/disconnect', { Container: 'c', Force: true })
  expect(seen).toEqual([
    ['connect', 'n', 'c', { Aliases: ['db'], Links: null }],
    ['disconnect', 'n', 'c', { force: true }],
  ])
  expect(await call('DELETE', '/networks/bridge')).toMatchObject({ status: 403 })
  expect((await call('POST', '/networks/prune')).json()).toEqual({ NetworksDeleted: null })
})

it('serves volumes', async () => {
  const prunes: unknown[] = []
  const { socketPath } = await startDockerServer(
    {},
    {
      volumes: {
        list: async () => [volume],
        create: async ({ Name = 'anonymous' }) => ({ ...volume, Name }),
        remove: async () => {},
        prune: async (options) => {
          prunes.push(options?.filters)
          return { deleted: ['v'], spaceReclaimed: 5 }
        },
      },
    },
  )
  const call = (method: string, path: string, body?: unknown) => unixFetch(socketPath, method, path, { body })
  expect((await call('GET', '/volumes')).json()).toEqual({
    Volumes: [{ ...volume, Options: null }],
    Warnings: null,
  })
  expect((await call('POST', '/volumes/create')).json()).toMatchObject({ Name: 'anonymous' })
  expect(await call('POST', '/volumes/create', { name: 'x' })).toMatchObject({
    status: 201,
    body: expect.stringContaining('"x"'),
  })
  expect((await call('DELETE', '/volumes/v?force=1')).status).toBe(204)
  expect((await call('GET', '/volumes/ghost')).status).toBe(404)
  expect((await call('POST', '/volumes/prune')).json()).toEqual({ VolumesDeleted: ['v'], SpaceReclaimed: 5 })
  await call('POST', '/v1.41/volumes/prune')
  expect(prunes).toEqual([{}, { all: ['true'] }])
})
