import { describe, expect, it } from 'vitest'
import { startDockerServer } from '../testing/docker-server.ts'
import type { Program } from '../testing/fake-process.ts'
import { connectRaw } from '../testing/raw-client.ts'
import { unixFetch } from '../testing/unix-fetch.ts'

const echo: Program = async ({ args, write }) => {
  write(1, `${args.join(' ')}\n`)
  write(2, 'err\n')
  return 3
}
const cat: Program = async ({ stdin, write }) => {
  for await (const chunk of stdin) write(1, chunk)
  return 0
}

async function start() {
  const server = await startDockerServer({ echo, cat, sleep: async ({ killed }) => killed.then(() => 0) })
  const call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
    unixFetch(server.socketPath, method, path, { body, ...(headers && { headers }) })
  const create = async (name: string, body: object) =>
    (
      (await call('POST', `/containers/create?name=${name}`, { Image: 'busybox', ...body })).json() as {
        Id: string
      }
    ).Id
  return { ...server, call, create }
}

describe('the engine', () => {
  it('answers pings with all that clients decide by, to everybody', async () => {
    const { call, url } = await start()
    const answer = await call('GET', '/_ping')
    expect([answer.status, answer.body]).toEqual([200, 'OK'])
    expect(answer.headers).toMatchObject({
      'api-version': '1.51',
      'builder-version': '1',
      'cache-control': 'no-cache, no-store, must-revalidate',
      'docker-experimental': 'false',
      ostype: 'linux',
      server: 'kernel/0.1.0 (linux)',
      swarm: 'inactive',
    })
    expect(await call('HEAD', '/v1.24/_ping')).toMatchObject({ status: 200, body: '' })
    expect((await fetch(`${url}/_ping`)).status).toBe(200)
    expect(await (await fetch(`${url}/containers/json`)).json()).toMatchObject({
      message: expect.stringContaining('token'),
    })
  })

  it('puts its headers on failures too', async () => {
    const { call } = await start()
    for (const [path, status, message] of [
      ['/nowhere', 404, 'page not found'],
      ['/v1.44/containers/json/x', 404, 'page not found'],
      ['/v1.99/info', 400, 'client version 1.99 is too new. Maximum supported API version is 1.51'],
      ['/swarm', 503, expect.stringContaining('This node is not a swarm manager')],
      ['/v1.30/services/x', 503, expect.stringContaining('This node is not a swarm manager')],
      ['/plugins/x/json', 404, 'plugin "x" not found'],
      ['/containers/ghost/json', 404, 'No such container: ghost'],
    ] as const) {
      const answer = await call('GET', path)
      expect([path, answer.status, answer.json()]).toEqual([path, status, { message }])
      expect(answer.headers['api-version']).toBe('1.51')
    }
    expect((await call('GET', '/plugins')).json()).toEqual([])
  })

  it('reports itself', async () => {
    const { call } = await start()
    expect((await call('GET', '/version')).json()).toMatchObject({
      ApiVersion: '1.51',
      MinAPIVersion: '1.24',
      Os: 'linux',
    })
    expect((await call('GET', '/info')).json()).toMatchObject({
      Images: 1,
      Containers: 0,
      Swarm: { LocalNodeState: 'inactive' },
    })
    expect((await call('GET', '/system/df')).json()).toMatchObject({
      LayersSize: 4_000_000,
      Volumes: [],
      BuildCache: null,
    })
    expect((await call('GET', '/system/df?type=volume')).json()).toMatchObject({ Images: null, Volumes: [] })
  })
})

describe('bodies', () => {
  it.each([
    ['', {}, 'invalid JSON: got EOF while reading request body'],
    ['{', { 'content-type': 'application/json' }, expect.stringContaining('invalid JSON: ')],
    ['{} {}', { 'content-type': 'application/json' }, expect.stringContaining('invalid JSON: ')],
    [
      '{}',
      { 'content-type': 'text/plain' },
      "unsupported Content-Type header (text/plain): must be 'application/json'",
    ],
    ['{}', { 'content-type': 'application/json' }, 'config cannot be empty in order to create a container'],
  ])('%j with %j is refused', async (body, headers: Record<string, string>, message) => {
    const { call } = await start()
    const answer = await call('POST', '/containers/create', body, headers)
    expect([answer.status, answer.json()]).toEqual([400, { message }])
  })
})

describe('containers', () => {
  it('start once, without a body', async () => {
    const { call, create } = await start()
    await create('s', { Cmd: ['sleep'] })
    expect(await call('POST', '/containers/s/start')).toMatchObject({ status: 204, body: '' })
    expect(await call('POST', '/containers/s/start')).toMatchObject({ status: 304, body: '' })
    expect((await call('POST', '/containers/s/stop?t=x')).json()).toEqual({
      message: 'strconv.Atoi: parsing "x": invalid syntax',
    })
    expect((await call('POST', '/containers/s/rename')).status).toBe(400)
    expect((await call('POST', '/containers/s/resize?h=24&w=80')).status).toBe(200)
    expect((await call('POST', '/containers/s/kill')).status).toBe(204)
    expect((await call('DELETE', '/containers/s')).status).toBe(204)
    expect((await call('POST', '/containers/prune')).json()).toEqual({
      ContainersDeleted: null,
      SpaceReclaimed: 0,
    })
  })

  it('sends the head of a wait before there is an end', async () => {
    const { call, create, socketPath } = await start()
    await create('w', { Cmd: ['echo'] })
    const waiter = await connectRaw(socketPath)
    waiter.write('POST /v1.51/containers/w/wait?condition=next-exit HTTP/1.1\r\nHost: d\r\n\r\n')
    expect(await waiter.until('\r\n\r\n')).toMatch(/^HTTP\/1.1 200 OK/)
    await call('POST', '/containers/w/start')
    await waiter.until('{"StatusCode":3}')
    waiter.socket.destroy()
    expect((await call('POST', '/containers/ghost/wait')).status).toBe(404)
    expect((await call('POST', '/v1.41/containers/w/wait')).json()).toEqual({ Error: null, StatusCode: 3 })
    expect((await call('POST', '/containers/w/wait?condition=soon')).json()).toEqual({
      message: 'invalid condition: "soon"',
    })
  })

  it('gives its output framed, and tells so by the version', async () => {
    const { call, create } = await start()
    await create('e', { Cmd: ['echo', 'hi'] })
    await call('POST', '/containers/e/start')
    const logs = await call('GET', '/containers/e/logs?stdout=1&stderr=true')
    expect(logs.headers['content-type']).toBe('application/vnd.docker.multiplexed-stream')
    expect(logs.body).toBe('\x01\0\0\0\0\0\0\x03hi\n\x02\0\0\0\0\0\0\x04err\n')
    expect((await call('GET', '/v1.41/containers/e/logs?stdout=1')).headers['content-type']).toBe(
      'application/vnd.docker.raw-stream',
    )
    expect((await call('GET', '/containers/e/logs')).json()).toEqual({
      message: 'Bad parameters: you must choose at least one stream',
    })
    await create('t', { Cmd: ['echo', 'hi'], Tty: true })
    await call('POST', '/containers/t/start')
    expect((await call('GET', '/containers/t/logs?stdout=1&timestamps=1')).body).toMatch(
      /^2026-01-01T00:00:00.000000001Z hi\n/,
    )
  })

  it('takes the connection of an old client over, which asks for no upgrade', async () => {
    const { call, create, socketPath } = await start()
    await create('c', { Cmd: ['cat'], OpenStdin: true })
    const client = await connectRaw(socketPath)
    client.write('GET /v1.24/_ping HTTP/1.1\r\nHost: d\r\n\r\n')
    await client.until('OK')
    client.write(
      'POST /v1.24/containers/c/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\nearly;',
    )
    await client.until('Content-Type: application/vnd.docker.raw-stream')
    await call('POST', '/containers/c/start')
    await client.until('early;')
    client.socket.end('late;')
    const all = (await client.end()).toString('latin1')
    expect(all).toContain(
      'HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\nApi-Version: 1.51',
    )
    expect(all).toMatch(/late;$/)
  })

  it('lets go of a terminal at the detach keys and keeps it running', async () => {
    const { call, create, socketPath, fakes } = await start()
    await create('t', { Cmd: ['cat'], OpenStdin: true, Tty: true })
    await call('POST', '/containers/t/start')
    const client = await connectRaw(socketPath)
    client.write(
      'POST /containers/t/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-x,y HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
    )
    await client.until('101 UPGRADED')
    client.write('a\x18')
    await client.until('\r\n\r\na')
    client.write('y')
    await client.end()
    expect(fakes.find('t').status).toBe('running')
    expect(fakes.find('t').process.attachers).toBe(0)
  })

  it('tells the exit code of a command as soon as its stream ends, binary data untouched', async () => {
    const { call, create, socketPath } = await start()
    await create('s', { Cmd: ['sleep'] })
    await call('POST', '/containers/s/start')
    const { Id } = (
      await call('POST', '/containers/s/exec', { Cmd: ['cat'], AttachStdin: true, AttachStdout: true })
    ).json() as { Id: string }
    expect((await call('GET', `/exec/${Id}/json`)).json()).toMatchObject({ Running: true, ExitCode: null })
    const client = await connectRaw(socketPath)
    client.write(
      `POST /exec/${Id}/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n{}`,
    )
    await client.until('101 UPGRADED')
    const data = Buffer.from(Array.from({ length: 70_000 }, (_, at) => (at * 7) % 256))
    client.socket.end(data)
    const all = await client.end()
    let at = all.indexOf('\r\n\r\n') + 4
    const received: Buffer[] = []
    while (at < all.length) {
      const length = all.readUInt32BE(at + 4)
      received.push(all.subarray(at + 8, at + 8 + length))
      at += 8 + length
    }
    expect(Buffer.concat(received).equals(data)).toBe(true)
    expect((await call('GET', `/exec/${Id}/json`)).json()).toMatchObject({ Running: false, ExitCode: 0 })
    const none = (await call('POST', '/containers/s/exec', { Cmd: ['cat'] })).json() as { Id: string }
    expect(await call('POST', `/exec/${none.Id}/start`, {})).toMatchObject({ status: 200, body: '' })
    expect((await call('POST', '/containers/s/exec', {})).json()).toEqual({
      message: 'No exec command specified',
    })
  })

  it('samples once, or twice so that rates can be told', async () => {
    const { call, create } = await start()
    await create('s', { Cmd: ['sleep'] })
    const zero = '0001-01-01T00:00:00Z'
    expect((await call('GET', '/containers/s/stats?stream=0')).json()).toMatchObject({
      name: '/s',
      read: zero,
    })
    await call('POST', '/containers/s/start')
    expect((await call('GET', '/containers/s/stats?stream=0&one-shot=1')).json()).toMatchObject({
      preread: zero,
      precpu_stats: { cpu_usage: { total_usage: 0 }, throttling_data: { periods: 0 } },
      blkio_stats: { sectors_recursive: [] },
    })
    const two = (await call('GET', '/containers/s/stats?stream=false')).json()
    expect(two).toMatchObject({ memory_stats: { usage: 7 }, precpu_stats: { cpu_usage: { total_usage: 5 } } })
    expect((two as { preread: string }).preread).not.toBe(zero)
  })

  it('shows networks as the version of the client knows them', async () => {
    const { call, create } = await start()
    const id = await create('n', { Cmd: ['sleep'] })
    const own = async (version: string) => {
      const inspect = (await call('GET', `/${version}/containers/n/json`)).json() as {
        NetworkSettings: { Networks: Record<string, object> }
      }
      return inspect.NetworkSettings.Networks.own
    }
    expect(await own('v1.51')).toEqual({ Aliases: ['db'], DNSNames: ['db', id.slice(0, 12)] })
    expect(await own('v1.44')).toEqual({
      Aliases: ['db', id.slice(0, 12)],
      DNSNames: ['db', id.slice(0, 12)],
    })
    expect(await own('v1.43')).toEqual({ Aliases: ['db', id.slice(0, 12)] })
  })
})

describe('a stop', () => {
  it('ends event streams and lets short requests finish', async () => {
    const { socketPath, stopDocker, subscribers, call, create } = await start()
    await create('s', { Cmd: ['sleep'] })
    await call('POST', '/containers/s/start')
    const wait = await connectRaw(socketPath)
    wait.write('POST /containers/s/wait HTTP/1.1\r\nHost: d\r\n\r\n')
    await wait.until('200 OK')
    const events = await connectRaw(socketPath)
    events.write('GET /events HTTP/1.1\r\nHost: d\r\n\r\n')
    await events.until('200 OK')
    expect(subscribers.size).toBe(1)
    await stopDocker()
    expect(await events.until('0\r\n\r\n')).toContain('Transfer-Encoding: chunked')
    expect(subscribers.size).toBe(0)
    expect(await call('GET', '/containers/json')).toMatchObject({
      status: 503,
      body: expect.stringContaining('is stopping'),
    })
    // No exit code that nobody knows.
    expect(await wait.until('0\r\n\r\n')).not.toContain('StatusCode')
    events.socket.destroy()
    wait.socket.destroy()
  })
})
