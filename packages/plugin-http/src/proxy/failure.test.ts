import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ask, closeAll, closedPort, onClose, openApp, openEdge, raw, route } from './testing/fixtures.ts'

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
    await expect.poll(() => log.entries.map(({ message }) => message)).toContain('A target cannot be reached')
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

describe('hostile requests', () => {
  const cases: Array<[string, string, number]> = [
    ['a length and chunks', 'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['chunks and a length', 'Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n', 400],
    ['two lengths', 'Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd', 400],
    ['two equal lengths', 'Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc', 400],
    ['a length with a sign', 'Content-Length: +3\r\n\r\nabc', 400],
    ['two codings', 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n', 501],
    ['chunks that are not last', 'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n', 400],
    ['a coding that looks like chunks', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n', 501],
    ['a space before the colon', 'Content-Length : 3\r\n\r\nabc', 400],
    ['a folded line', 'X-A: b\r\n c\r\n\r\n', 400],
    ['bare line feeds', 'X-A: b\nX-C: d\r\n\r\n', 400],
    ['a bare carriage return', 'X-A: b\rX-C: d\r\n\r\n', 400],
    ['a null', 'X-A: b\0c\r\n\r\n', 400],
    ['two hosts', 'Host: other\r\n\r\n', 400],
    ['bad chunk sizes', 'Transfer-Encoding: chunked\r\n\r\nzz\r\n', 400],
  ]
  it.each(cases)('with %s are refused and reach no app', async (_, lines, status) => {
    const { edge, port } = await openEdge({}, { threads: 1 })
    const seen: string[] = []
    const app = await openApp('a', (req, res) => {
      seen.push(req.method!)
      req.on('error', () => {}).resume()
      req.on('end', () => res.end())
    })
    await edge.publish('a', [route('', [app.target])])
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n'
    // Until the edge closes the connection: what follows must never be taken for a request.
    const answer = await raw(port, `POST / HTTP/1.1\r\nHost: app.test\r\n${lines}${smuggled}`)
    expect(answer.status).toBe(status)
    expect(seen.filter((method) => method === 'GET')).toEqual([])
  })

  it.each([
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['a host that is none', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
    ['an asterisk', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['a head beyond the limit', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['too many headers', `GET / HTTP/1.1\r\nHost: a\r\n${'X: 1\r\n'.repeat(200)}\r\n`, 431],
    ['an unknown expectation', 'GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n', 417],
  ])('with %s get an answer of their own', async (_, text, status) => {
    const { port } = await openEdge({}, { threads: 1 })
    expect((await raw(port, text, (seen) => /\r\n\r\n/.test(seen))).status).toBe(status)
  })

  it('that never end are cut off', async () => {
    const { port } = await openEdge({ headersTimeoutMs: 400 }, { threads: 1 })
    expect((await raw(port, 'GET / HTTP/1.1\r\nHost: a\r\nX: ')).status).toBe(408)
  })

  it('with CONNECT get no tunnel', async () => {
    const { port } = await openEdge({}, { threads: 1 })
    const socket = connect(port, '127.0.0.1')
    socket.write('CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: a\r\n\r\n')
    let text = ''
    for await (const chunk of socket) text += chunk
    expect(text).not.toContain('200')
  })
})
