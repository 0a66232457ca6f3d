import { failed, type Images, notFound } from '@kernel/contracts'
import { describe, expect, it } from 'vitest'
import { imageId, startDockerServer } from '../testing/docker-server.ts'
import { unixFetch } from '../testing/unix-fetch.ts'

async function start(overrides: Parameters<typeof startDockerServer>[1]) {
  const { socketPath } = await startDockerServer({}, overrides)
  const call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
    unixFetch(socketPath, method, path, { body, ...(headers && { headers }) })
  return { call }
}

describe('images', () => {
  it('look as the version of the client knows them', async () => {
    const { call } = await start({
      images: {
        list: async () => [
          {
            id: imageId,
            repoTags: [],
            repoDigests: [],
            created: '2026-01-01T00:00:00Z',
            size: 5,
            labels: {},
            parentId: '',
            containers: 2,
          },
        ],
      },
    })
    const first = async (version: string) =>
      ((await call('GET', `/${version}/images/json`)).json() as object[])[0]
    expect(await first('v1.51')).toMatchObject({ RepoTags: [], Containers: 2, Created: 1_767_225_600 })
    expect(await first('v1.51')).not.toHaveProperty('VirtualSize')
    expect(await first('v1.42')).toMatchObject({
      RepoTags: ['<none>:<none>'],
      RepoDigests: ['<none>@<none>'],
      VirtualSize: 5,
      Containers: -1,
      Labels: null,
    })
  })

  it('have nothing in place of digests that are not there, once they have a name', async () => {
    const { call } = await start({})
    const first = async (version: string) =>
      ((await call('GET', `/${version}/images/json`)).json() as object[])[0]
    expect(await first('v1.42')).toMatchObject({ RepoTags: ['busybox:latest'], RepoDigests: null })
    expect(await first('v1.43')).toMatchObject({ RepoTags: ['busybox:latest'], RepoDigests: [] })
    const config = async (version: string) =>
      ((await call('GET', `/${version}/images/busybox/json`)).json() as { Config: object }).Config
    expect(await config('v1.41')).toMatchObject({ AttachStdin: false, Entrypoint: null, Labels: null })
    expect(await config('v1.51')).toEqual({})
    expect((await call('GET', '/v1.51/images/busybox/json')).json()).toHaveProperty(
      'ContainerConfig.Volumes',
      null,
    )
  })

  it('have names with slashes', async () => {
    const seen: string[] = []
    const { call } = await start({
      images: {
        inspect: async (ref) => {
          throw notFound(`No such image: ${ref}`)
        },
        tag: async (source, target) => void seen.push(source, target),
        remove: async (ref) => [{ untagged: ref }, { deleted: imageId }],
      },
    })
    expect((await call('GET', '/images/r.example:5000/a/b:1/json')).json()).toEqual({
      message: 'No such image: r.example:5000/a/b:1',
    })
    expect((await call('POST', '/images/a/b/tag?repo=c/d&tag=2')).status).toBe(201)
    expect(seen).toEqual(['a/b', 'c/d:2'])
    expect((await call('DELETE', '/images/a/b:1')).json()).toEqual([
      { Untagged: 'a/b:1' },
      { Deleted: imageId },
    ])
  })

  it('are pulled with progress; a failure has its status before the first line, and is a line after it', async () => {
    const pulls: unknown[] = []
    const pull: Images['pull'] = async (ref, { auth, platform }, report) => {
      pulls.push([ref, auth, platform])
      if (ref === 'ghost:latest') throw notFound('pull access denied for ghost')
      report({ status: 'Pulling from library/busybox', id: 'latest' })
      if (ref === 'broken:1') throw failed('the layer is damaged')
      report({ status: 'Status: Downloaded newer image for busybox:latest' })
      return { id: imageId, digest: imageId, updated: true }
    }
    const { call } = await start({ images: { pull } })
    const auth = Buffer.from('{"username":"ada","password":"x"}').toString('base64url')
    const good = await call(
      'POST',
      '/images/create?fromImage=busybox&tag=latest&platform=linux/amd64',
      undefined,
      { 'x-registry-auth': auth },
    )
    expect(good.body.split('\r\n').map((line) => line && JSON.parse(line))).toEqual([
      { status: 'Pulling from library/busybox', id: 'latest' },
      { status: 'Status: Downloaded newer image for busybox:latest' },
      '',
    ])
    expect(pulls).toEqual([['busybox:latest', { username: 'ada', password: 'x' }, 'linux/amd64']])
    const ghost = await call('POST', '/images/create?fromImage=ghost&tag=latest')
    expect([ghost.status, ghost.json()]).toEqual([404, { message: 'pull access denied for ghost' }])
    const broken = await call('POST', '/images/create?fromImage=broken&tag=1')
    expect(broken.body).toContain(
      '{"errorDetail":{"message":"the layer is damaged"},"error":"the layer is damaged"}',
    )
    await call('POST', `/images/create?fromImage=busybox&tag=${imageId}`)
    expect(pulls.at(-1)).toEqual([`busybox@${imageId}`, undefined, undefined])
    expect((await call('POST', '/images/create')).status).toBe(400)
  })

  it('are loaded and saved as streams', async () => {
    let size = 0
    const { call } = await start({
      images: {
        async load(tar, report) {
          for await (const chunk of tar) size += chunk.byteLength
          report({ stream: 'Loading layer' })
          report({ stream: 'Loaded image: busybox:latest\n' })
          return ['busybox:latest', imageId]
        },
        save: async (refs) =>
          (async function* () {
            yield Buffer.from(refs.join())
          })(),
      },
    })
    const loaded = await call('POST', '/images/load?quiet=1', Buffer.alloc(300_000))
    expect(loaded.body).toBe(
      `{"stream":"Loaded image: busybox:latest\\n"}\r\n{"stream":"Loaded image ID: ${imageId}\\n"}\r\n`,
    )
    expect(size).toBe(300_000)
    const saved = await call('GET', '/images/get?names=a/b:1&names=c')
    expect([saved.headers['content-type'], saved.body]).toEqual(['application/x-tar', 'a/b:1,c'])
    expect((await call('GET', '/images/a/b/get')).body).toBe('a/b')
  })

  it('are pushed, with the result where clients look for it', async () => {
    const pushes: unknown[] = []
    const { call } = await start({
      images: {
        async push(ref, { auth }, report) {
          pushes.push([ref, auth?.username])
          report({ status: 'The push refers to repository [r.example/a]' })
          return [{ tag: '1', digest: imageId, size: 7 }]
        },
      },
    })
    const auth = Buffer.from('{"username":"ada"}').toString('base64url')
    const pushed = await call('POST', '/images/r.example/a/push?tag=1', undefined, {
      'x-registry-auth': auth,
    })
    expect(pushes).toEqual([['r.example/a:1', 'ada']])
    expect(pushed.body).toBe(
      `{"status":"The push refers to repository [r.example/a]"}\r\n{"aux":{"Tag":"1","Digest":"${imageId}","Size":7}}\r\n`,
    )
  })

  it('are built from a context in the body', async () => {
    let asked: unknown
    const { call } = await start({
      builder: {
        async build({ context, signal: _, ...rest }, report) {
          asked = rest
          if ('tar' in context) for await (const _chunk of context.tar);
          report({ stream: 'Step 1/1 : FROM scratch' })
          return { id: imageId }
        },
      },
    })
    const query = new URLSearchParams([
      ['t', 'a:1'],
      ['t', 'b'],
      ['dockerfile', 'build/Dockerfile'],
      ['buildargs', '{"A":"1","B":null}'],
      ['labels', '{"l":"v"}'],
      ['cachefrom', '[]'],
      ['ulimits', 'null'],
      ['nocache', '1'],
    ])
    const built = await call('POST', `/v1.43/build?${query}`, Buffer.alloc(1024), {
      'content-type': 'application/x-tar',
    })
    expect(built.body).toBe(`{"stream":"Step 1/1 : FROM scratch"}\r\n{"aux":{"ID":"${imageId}"}}\r\n`)
    expect(asked).toMatchObject({
      dockerfile: { path: 'build/Dockerfile' },
      tags: ['a:1', 'b'],
      buildArgs: { A: '1' },
      labels: { l: 'v' },
      noCache: true,
      auths: {},
    })
    expect((await call('POST', '/build?version=2', Buffer.alloc(1))).status).toBe(501)
    expect((await call('POST', '/build?q=1', Buffer.alloc(1))).body).toContain(`{"stream":"${imageId}\\n"}`)
  })
})
