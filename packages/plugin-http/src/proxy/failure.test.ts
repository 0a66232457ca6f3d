import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  ask,
  closeAll,
  closedPort,
  onClose,
  openApp,
  openEdge,
  raw,
  route,
  soon,
} from './testing/fixtures.ts'

vi.setConfig({ testTimeout: 30_000 })
afterEach(closeAll)

/** A target that handles its connections itself. */
async function openRaw(id: string, serve: (socket: Socket, nth: number) => void) {
  let connections = 0
  const server = createServer((socket) => {
    socket.on('error', () => {})
    serve(socket, connections++)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onClose(() => server.close())
  const { port } = server.address() as AddressInfo
  return { target: { id, host: '127.0.0.1', port }, connections: () => connections }
}

const dead = async (id: string) => ({ id, host: '127.0.0.1', port: await closedPort() })

describe('pages', () => {
  it('are HTML for who reads HTML, else text, and carry the request id', async () => {
    const { port } = await openEdge({}, { threads: 1 })
    const html = await ask(port, { headers: { accept: 'text/html,*/*', 'x-request-id': 'r-1' } })
    expect(html).toMatchObject({ status: 404, headers: { 'content-type': 'text/html; charset=utf-8' } })
    expect(html.body).toContain('There is no app at this address')
    expect(html.body).toContain('r-1')
    const text = await ask(port, { headers: { accept: '*/*', 'x-request-id': '<script>' } })
    expect(text.headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(text.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
    expect((await ask(port, { method: 'HEAD' })).body).toBe('')
  })

  it('say 503 where an app is stopped or has no target', async () => {
    const { edge, port } = await openEdge()
    const app = await openApp('a', (_, res) => res.end('x'))
    await edge.publish('a', [route('app.test', [app.target], { state: 'down' })])
    expect(await ask(port)).toMatchObject({ status: 503, body: expect.stringContaining('not running') })
    await edge.publish('a', [route('app.test', [])])
    expect((await ask(port)).status).toBe(503)
    expect(app.connections()).toBe(0)
  })

  it('say 502 where nobody listens, and where the target breaks off', async () => {
    const { edge, port, log } = await openEdge()
    await edge.publish('a', [route('app.test', [await dead('a')])])
    const answer = await ask(port)
    expect(answer.status).toBe(502)
    expect(answer.body).not.toMatch(/127\.0\.0\.1|ECONN/)
    await soon(() => log.entries.map(({ message }) => message)).toContain('A target cannot be reached')
    const broken = await openRaw('b', (socket) => socket.once('data', () => socket.end('HTTP/1.1 2')))
    await edge.publish('a', [route('app.test', [broken.target])])
    expect((await ask(port)).status).toBe(502)
  })

  it('say 504 where the target is silent, and 408 where the visitor is', async () => {
    const { edge, port } = await openEdge({ responseTimeoutMs: 300 })
    const app = await openApp('a', (req) => void req.resume())
    await edge.publish('a', [route('app.test', [app.target])])
    expect((await ask(port)).status).toBe(504)
    expect((await ask(port, { method: 'POST', body: 'all of it' })).status).toBe(504)
    const half = 'POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 9\r\n\r\nhalf'
    expect((await raw(port, half)).status).toBe(408)
    expect(await edge.drain(['a'], 5)).toEqual({ open: 0 })
  })
})

describe('a target that cannot be reached', () => {
  it('is passed over, for requests with a body as well', async () => {
    const { edge, port } = await openEdge()
    const app = await openApp('a', (req, res) => void req.pipe(res))
    await edge.publish('a', [route('app.test', [await dead('b'), app.target, await dead('c')])])
    for (let i = 0; i < 20; i++)
      expect(await ask(port, { method: 'POST', body: `n${i}` })).toMatchObject({ status: 200, body: `n${i}` })
    expect(await edge.drain(['a', 'b', 'c'], 5)).toEqual({ open: 0 })
  })

  it('is asked again as soon as there is no other', async () => {
    const { edge, port } = await openEdge()
    const target = await dead('a')
    await edge.publish('a', [route('app.test', [target])])
    expect((await ask(port)).status).toBe(502)
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nup')
    }).listen(target.port, '127.0.0.1')
    onClose(() => server.close())
    await once(server, 'listening')
    expect((await ask(port)).body).toBe('up')
  })
})

it('a target that dies under its visitors is waited for, until there are other routes', async () => {
  const { edge, port } = await openEdge({ goneMs: 20_000 })
  const app = await openApp('new', (req, res) => void req.pipe(res))
  await edge.publish('a', [route('app.test', [await dead('a'), await dead('b')])])
  const asked = [ask(port), ask(port, { method: 'POST', body: 'kept' })]
  await soon(() => edge.metrics()).toContain('kernel_edge_held 2')
  await edge.publish('a', [route('app.test', [], { state: 'hold' })])
  await edge.publish('a', [route('app.test', [app.target])])
  expect((await Promise.all(asked)).map(({ status, body }) => [status, body])).toEqual([
    [200, ''],
    [200, 'kept'],
  ])
})

describe('a connection that the target closes as a request arrives', () => {
  const stale = (socket: Socket, nth: number) => {
    let requests = 0
    socket.on('data', () => {
      requests++
      if (nth === 0 && requests === 2) socket.destroy()
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
  }

  it('is replaced where that can do no harm', async () => {
    const { edge, port } = await openEdge({}, { threads: 1 })
    const app = await openRaw('a', stale)
    await edge.publish('a', [route('app.test', [app.target])])
    expect((await ask(port)).body).toBe('ok')
    expect((await ask(port, { method: 'DELETE' })).body).toBe('ok')
    expect(app.connections()).toBe(2)
  })

  it('fails a request that may have been heard: nobody orders twice', async () => {
    const { edge, port } = await openEdge({}, { threads: 1 })
    const app = await openRaw('a', stale)
    await edge.publish('a', [route('app.test', [app.target])])
    expect((await ask(port)).body).toBe('ok')
    expect((await ask(port, { method: 'POST' })).status).toBe(502)
    expect(app.connections()).toBe(1)
  })

  it('is replaced once only', async () => {
    const { edge, port } = await openEdge({}, { threads: 1 })
    const app = await openRaw('a', (socket) => void socket.once('data', () => socket.destroy()))
    await edge.publish('a', [route('app.test', [app.target])])
    expect((await ask(port)).status).toBe(502)
    expect(app.connections()).toBe(2)
  })
})
