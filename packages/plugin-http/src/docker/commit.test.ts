import { expect, it } from 'vitest'
import { startDockerServer } from '../testing/docker-server.ts'
import { unixFetch } from '../testing/unix-fetch.ts'

const id = `sha256:${'c'.repeat(64)}` as const

it('commits a container with what queries and body say', async () => {
  const asked: unknown[] = []
  const server = await startDockerServer(
    {},
    {
      builder: {
        commit: async (...args) => {
          asked.push(args)
          return { id }
        },
      },
    },
  )
  const container = (await server.fakes.containers.create('web', { Image: 'busybox' })).id
  const commit = (query: string, body?: unknown) =>
    unixFetch(server.socketPath, 'POST', `/commit?${query}`, { body })
  const done = await commit(
    'container=web&repo=team/app&tag=2&comment=hey&author=me&pause=0&changes=ENV+A%3D1%0ACMD+x&changes=USER+web',
    { Cmd: ['y'], exposedports: { '80/tcp': {} }, Nonsense: 1 },
  )
  expect([done.status, done.json()]).toEqual([201, { Id: id }])
  expect((await commit('container=web')).status).toBe(201)
  expect(asked).toEqual([
    [
      container,
      {
        config: { Cmd: ['y'], ExposedPorts: { '80/tcp': {} } },
        pause: false,
        changes: ['ENV A=1', 'CMD x', 'USER web'],
        tag: 'team/app:2',
        comment: 'hey',
        author: 'me',
      },
    ],
    [container, { config: {}, pause: true, changes: [] }],
  ])
  expect((await commit('container=ghost')).json()).toEqual({ message: 'No such container: ghost' })
  expect((await commit('container=web', '{bad')).status).toBe(400)
})

it('imports a tar from the body or a URL', async () => {
  const asked: unknown[] = []
  const server = await startDockerServer(
    {},
    {
      builder: {
        async importTar(source, { signal: _, ...options }) {
          let text = ''
          if (!('url' in source)) for await (const piece of source) text += Buffer.from(piece).toString()
          asked.push(['url' in source ? source : text, options])
          return { id }
        },
      },
    },
  )
  const create = (query: string, body?: string) =>
    unixFetch(server.socketPath, 'POST', `/images/create?${query}`, { ...(body && { body }) })
  const done = await create('fromSrc=-&repo=made&tag=1&message=m&platform=linux/arm64&changes=CMD+x', 'a tar')
  expect([done.status, done.json()]).toEqual([200, { status: id }])
  await create('fromSrc=http://here/x.tar')
  expect(asked).toEqual([
    ['a tar', { changes: ['CMD x'], tag: 'made:1', platform: 'linux/arm64', message: 'm' }],
    [{ url: 'http://here/x.tar' }, { changes: [] }],
  ])
  expect((await create('fromSrc=')).status).toBe(400)
})

it('asks a registry without pulling', async () => {
  const descriptor = { mediaType: 'm', digest: id, size: 7 }
  const platforms = [{ architecture: 'amd64', os: 'linux' }]
  const server = await startDockerServer(
    {},
    {
      images: {
        distribution: async (ref, { auth }) => {
          expect([ref, auth]).toEqual(['host:5000/team/app:1', { username: 'ann', password: 'x' }])
          return { descriptor, platforms }
        },
      },
    },
  )
  const headers = {
    'x-registry-auth': Buffer.from('{"username":"ann","password":"x"}').toString('base64url'),
  }
  const answer = await unixFetch(server.socketPath, 'GET', '/distribution/host:5000/team/app:1/json', {
    headers,
  })
  expect(answer.json()).toEqual({ Descriptor: descriptor, Platforms: platforms })
})
