import type { Containers } from '@kernel/contracts'
import { denied, notFound } from '@kernel/contracts'
import { expect, it } from 'vitest'
import { startDockerServer } from '../testing/docker-server.ts'
import { unixFetch } from '../testing/unix-fetch.ts'

const stat = {
  name: 'f',
  size: 2 ** 40,
  mode: 2 ** 31 + 0o755,
  mtime: '2026-01-02T03:04:05.5Z',
  linkTarget: '/d',
}

async function start(fakes: Partial<Containers>) {
  const server = await startDockerServer()
  Object.assign(server.fakes.containers, fakes)
  return (method: string, path: string, body?: string) =>
    unixFetch(server.socketPath, method, path, { ...(body !== undefined && { body }) })
}

async function* pieces(...texts: string[]) {
  for (const text of texts) yield Buffer.from(text)
}

it('brings files, and tells of them in a header', async () => {
  const asked: unknown[] = []
  const call = await start({
    archiveRead: async (ref, path) => {
      asked.push(['read', ref, path])
      return { stat, tar: pieces('one', 'two') }
    },
    archiveStat: async (ref, path) => {
      asked.push(['stat', ref, path])
      return stat
    },
  })
  const got = await call('GET', '/v1.41/containers/web/archive?path=/d/f%20g')
  expect([got.status, got.body, got.headers['content-type']]).toEqual([200, 'onetwo', 'application/x-tar'])
  const header = String(got.headers['x-docker-container-path-stat'])
  expect(JSON.parse(Buffer.from(header, 'base64').toString())).toEqual(stat)
  const head = await call('HEAD', '/containers/web/archive?path=/d/')
  expect([head.status, head.body, head.headers['x-docker-container-path-stat']]).toEqual([200, '', header])
  // A HEAD reads no file.
  expect(asked).toEqual([
    ['read', 'web', '/d/f g'],
    ['stat', 'web', '/d/'],
  ])
})

it('takes files, by the rules that are asked for', async () => {
  const written: unknown[] = []
  const call = await start({
    archiveWrite: async (ref, path, tar, options) => {
      let text = ''
      for await (const piece of tar) text += Buffer.from(piece).toString()
      written.push([ref, path, text, options])
    },
  })
  const url = '/containers/web/archive?path=/d&noOverwriteDirNonDir=true&copyUIDGID=1'
  expect(await call('PUT', url, 'a tar')).toMatchObject({ status: 200, body: '' })
  expect((await call('PUT', '/containers/web/archive?path=/')).status).toBe(200)
  expect(written).toEqual([
    ['web', '/d', 'a tar', { keepKinds: true, asUser: true }],
    ['web', '/', '', { keepKinds: false, asUser: false }],
  ])
})

it('refuses in dockerd’s ways', async () => {
  const call = await start({
    archiveStat: async () => {
      throw notFound('Could not find the file /nope in container web')
    },
    archiveWrite: async () => {
      throw denied('container rootfs is marked read-only')
    },
  })
  expect((await call('GET', '/containers/web/archive')).status).toBe(400)
  expect((await call('HEAD', '/containers/web/archive?path=')).status).toBe(400)
  expect((await call('HEAD', '/containers/web/archive?path=/nope')).status).toBe(404)
  const refused = await call('PUT', '/containers/web/archive?path=/', 'x')
  expect([refused.status, refused.json()]).toEqual([403, { message: 'container rootfs is marked read-only' }])
})

it('shows changes, none as null, and exports', async () => {
  const call = await start({
    changes: async (ref) => (ref === 'same' ? [] : [{ Path: '/f', Kind: 1 }]),
    exportTar: async () => pieces('tar'),
  })
  expect((await call('GET', '/containers/web/changes')).json()).toEqual([{ Path: '/f', Kind: 1 }])
  expect((await call('GET', '/containers/same/changes')).json()).toBe(null)
  const tar = await call('GET', '/containers/web/export')
  expect([tar.body, tar.headers['content-type']]).toEqual(['tar', 'application/octet-stream'])
})
