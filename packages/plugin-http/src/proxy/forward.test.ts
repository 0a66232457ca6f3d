import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ask, closeAll, onClose, openApp, openEdge, raw, route, soon } from './testing/fixtures.ts'

vi.setConfig({ testTimeout: 30_000 })
afterEach(closeAll)

const MEBIBYTE = Buffer.alloc(1 << 20, 'x')

describe('headers', () => {
  async function seen(headers: Record<string, string>, settings = {}) {
    const { edge, port } = await openEdge(settings)
    const app = await openApp('a', (req, res) => res.end(JSON.stringify({ ...req.headers, url: req.url })))
    await edge.publish('a', [route('', [app.target])])
    const { body } = await ask(port, { path: '/p?q=1', headers })
    return { port, headers: JSON.parse(body) as Record<string, string> }
  }

  it('tell the target who the visitor is, and not what the visitor claims', async () => {
    const { port, headers } = await seen({
      'x-forwarded-for': '6.6.6.6',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'evil',
      x_forwarded_for: '6.6.6.6',
      'x-real-ip': '6.6.6.6',
      forwarded: 'for=6.6.6.6',
    })
    expect(headers).toMatchObject({
      host: 'app.test',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'app.test',
      'x-forwarded-port': String(port),
      url: '/p?q=1',
    })
    expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
    expect(headers.forwarded).toBe('for=127.0.0.1;host="app.test";proto=http')
    expect(Object.keys(headers).filter((name) => /real|_/.test(name))).toEqual([])
  })

  it('of trusted proxies are believed and continued', async () => {
    const given = { 'x-forwarded-for': '6.6.6.6', 'x-forwarded-proto': 'https', 'x-request-id': 'abc' }
    const { headers } = await seen(given, { trustedProxies: ['127.0.0.0/8'] })
    expect(headers).toMatchObject({ ...given, 'x-forwarded-for': '6.6.6.6, 127.0.0.1' })
  })

  it('between neighbours stay there, both ways', async () => {
    const { edge, port } = await openEdge()
    const app = await openApp('a', (req, res) => {
      res.setHeader('Connection', 'keep-alive, X-Hop')
      res.setHeader('X-Hop', '1').setHeader('Server', 'mine').setHeader('Set-Cookie', ['a=1', 'b=2'])
      res.end(Object.keys(req.headers).join())
    })
    await edge.publish('a', [route('app.test', [app.target])])
    const answer = await ask(port, {
      headers: { connection: 'keep-alive, X-Mine', 'x-mine': '1', te: 'trailers', 'x-end': '1', proxy: 'p' },
    })
    expect(answer.body.split(',')).toEqual(expect.arrayContaining(['x-end', 'host']))
    expect(answer.body).not.toMatch(/x-mine|(^|,)te(,|$)|(^|,)proxy(,|$)/)
    expect(answer.headers).toMatchObject({ server: 'mine', 'set-cookie': ['a=1', 'b=2'] })
    expect(answer.headers['x-hop']).toBeUndefined()
  })

  it('in absolute form name the host, and only one', async () => {
    const { edge, port } = await openEdge()
    const app = await openApp('a', (req, res) => res.end(`${req.headers.host}${req.url}`))
    await edge.publish('a', [route('app.test', [app.target])])
    const text = (host: string) =>
      `GET http://app.test/x?y HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
    expect((await raw(port, text('app.test'))).text).toMatch(/app\.test\/x\?y$/)
    expect((await raw(port, text('other'))).status).toBe(400)
  })
})

describe('connections', () => {
  it('are kept on both sides', async () => {
    const { edge, port } = await openEdge({}, { threads: 1 })
    const app = await openApp('a', (_, res) => res.end('ok'))
    await edge.publish('a', [route('app.test', [app.target])])
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    onClose(() => agent.destroy())
    const ports = new Set<number>()
    for (let i = 0; i < 20; i++) {
      const req = request({ port, host: '127.0.0.1', agent, headers: { host: 'app.test' } })
      req.end()
      const [res] = (await once(req, 'response')) as [IncomingMessage]
      ports.add(res.socket.localPort!)
      await once(res.resume(), 'end')
    }
    expect(ports.size).toBe(1)
    expect(app.connections()).toBe(1)
  })

  it('answer pipelined requests in order, and HTTP/1.0', async () => {
    const { edge, port } = await openEdge()
    const app = await openApp('a', (req, res) =>
      setTimeout(() => res.end(req.url), req.url === '/1' ? 50 : 0),
    )
    await edge.publish('a', [route('', [app.target])])
    const both = 'GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'
    expect((await raw(port, both)).text).toMatch(/\/1HTTP[\s\S]*\/2$/)
    expect((await raw(port, 'GET /old HTTP/1.0\r\n\r\n')).text).toMatch(/\/old$/)
  })
})

describe('messages', () => {
  it('without a body stay so: HEAD, 204, 304', async () => {
    const { edge, port } = await openEdge()
    const app = await openApp('a', (req, res) => {
      if (req.url === '/204') res.writeHead(204).end()
      else if (req.url === '/304') res.writeHead(304, { ETag: '"x"' }).end()
      else res.writeHead(200, { 'Content-Length': 5 }).end(req.method === 'HEAD' ? undefined : 'hello')
    })
    await edge.publish('a', [route('app.test', [app.target])])
    const head = await ask(port, { method: 'HEAD' })
    expect([head.status, head.headers['content-length'], head.body]).toEqual([200, '5', ''])
    const none = await ask(port, { path: '/204' })
    expect([none.status, none.headers['transfer-encoding'], none.body]).toEqual([204, undefined, ''])
    expect((await ask(port, { path: '/304' })).headers.etag).toBe('"x"')
    expect((await ask(port)).body).toBe('hello')
  })

  it('carry bodies with every method, with a length or in chunks', async () => {
    const { edge, port } = await openEdge()
    const app = await openApp('a', async (req, res) => {
      let size = 0
      for await (const chunk of req) size += chunk.length
      res.end(`${req.method} ${req.headers['content-length'] ?? 'chunked'} ${size}`)
    })
    await edge.publish('a', [route('app.test', [app.target])])
    const send = async (method: string, headers: Record<string, string>) =>
      (await ask(port, { method, headers, body: 'hello' })).body
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'GET', 'OPTIONS', 'PROPFIND']) {
      expect(await send(method, { 'content-length': '5' })).toBe(`${method} 5 5`)
      expect(await send(method, { 'transfer-encoding': 'chunked' })).toBe(`${method} chunked 5`)
    }
    expect((await ask(port, { method: 'POST', headers: { 'content-length': '0' } })).body).toBe('POST 0 0')
  })

  it('end with their trailers', async () => {
    const { edge, port } = await openEdge()
    const app = await openApp('a', (_, res) => {
      res.writeHead(200, { Trailer: 'X-Sum' }).write('x')
      res.addTrailers({ 'X-Sum': '42' })
      res.end()
    })
    await edge.publish('a', [route('app.test', [app.target])])
    expect((await ask(port)).trailers).toEqual({ 'x-sum': '42' })
  })

  it('wait for 100 Continue, which comes only when there is a target', async () => {
    const { edge, port } = await openEdge()
    const app = await openApp('a', (req, res) => void req.pipe(res))
    await edge.publish('a', [route('app.test', [app.target])])
    const text = (host: string) =>
      `POST / HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n`
    const unknown = await raw(port, text('none'), (seen) => seen.includes('404'))
    expect(unknown.text).not.toContain('100 Continue')
    const socket = connect(port, '127.0.0.1')
    socket.write(text('app.test'))
    const [first] = await once(socket, 'data')
    expect(String(first)).toMatch(/^HTTP\/1\.1 100 /)
    socket.write('body')
    let rest = ''
    for await (const chunk of socket) rest += chunk
    expect(rest).toMatch(/^HTTP\/1\.1 200 [\s\S]*body/)
  })

  it('that are hinted early arrive early', async () => {
    const { edge, port } = await openEdge()
    const app = await openApp('a', (_, res) => {
      res.writeEarlyHints({ link: '</a.css>; rel=preload' })
      res.end('x')
    })
    await edge.publish('a', [route('app.test', [app.target])])
    const { text } = await raw(port, 'GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n')
    expect(text).toMatch(/^HTTP\/1\.1 103 [\s\S]*a\.css[\s\S]*HTTP\/1\.1 200 /)
  })
})

describe('streams', () => {
  it('of 50 MiB pass both ways without piling up', async () => {
    const { edge, port } = await openEdge()
    const app = await openApp('a', (req, res) => void req.pipe(res))
    await edge.publish('a', [route('app.test', [app.target])])
    const req = request({ port, host: '127.0.0.1', method: 'POST', headers: { host: 'app.test' } })
    const received = (async () => {
      const [res] = (await once(req, 'response')) as [IncomingMessage]
      let size = 0
      for await (const chunk of res) size += chunk.length
      return size
    })()
    for (let i = 0; i < 50; i++) if (!req.write(MEBIBYTE)) await once(req, 'drain')
    req.end()
    expect(await received).toBe(50 << 20)
  }, 30_000)

  it('stop where the visitor does not read', async () => {
    const { edge, port } = await openEdge()
    let sent = 0
    let stopped = false
    const app = await openApp('a', (_, res) => {
      const more = () => {
        while (!stopped && sent < 1 << 30) {
          sent += MEBIBYTE.length
          if (!res.write(MEBIBYTE)) return void res.once('drain', more)
        }
      }
      res.on('close', () => {
        stopped = true
      })
      more()
    })
    await edge.publish('a', [route('app.test', [app.target])])
    const socket = connect(port, '127.0.0.1')
    onClose(() => socket.destroy())
    socket.pause()
    socket.write('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n')
    let before = -1
    while (before !== sent || sent === 0) {
      before = sent
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
    // What lies in socket buffers on the way; the answer itself has no end.
    expect(sent).toBeLessThan(64 << 20)
    socket.destroy()
    await soon(() => stopped).toBe(true)
  })

  it('end where the visitor does not read for too long', async () => {
    const { edge, port } = await openEdge({ responseTimeoutMs: 500 })
    let stopped = false
    const app = await openApp('a', (_, res) => {
      res.on('close', () => {
        stopped = true
      })
      for (let i = 0; i < 200; i++) res.write(MEBIBYTE)
    })
    await edge.publish('a', [route('app.test', [app.target])])
    const socket = connect(port, '127.0.0.1')
    onClose(() => socket.destroy())
    socket.pause()
    socket.write('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n')
    await soon(() => stopped).toBe(true)
    expect(await edge.drain(['a'], 5)).toEqual({ open: 0 })
  })

  it('may be silent for longer than a first byte may take', async () => {
    const { edge, port } = await openEdge({ responseTimeoutMs: 300 })
    const app = await openApp('a', (_, res) => {
      res.write('first ')
      setTimeout(() => res.end('last'), 1_000)
    })
    await edge.publish('a', [route('app.test', [app.target])])
    expect((await ask(port)).body).toBe('first last')
  })

  it('of events arrive one by one, the head before the first', async () => {
    const { edge, port } = await openEdge()
    let send: (event: string) => void = () => {}
    const app = await openApp('a', (_, res) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
      send = (event) => res.write(`data: ${event}\n\n`)
    })
    await edge.publish('a', [route('app.test', [app.target])])
    const req = request({ port, host: '127.0.0.1', headers: { host: 'app.test' } })
    req.end()
    const [res] = (await once(req, 'response')) as [IncomingMessage]
    for (const event of ['one', 'two']) {
      send(event)
      expect(String((await once(res, 'data'))[0])).toBe(`data: ${event}\n\n`)
    }
    req.destroy()
  })

  it('that break off on the way are seen as broken', async () => {
    const { edge, port } = await openEdge()
    const app = await openApp('a', (_, res) => {
      res.writeHead(200, { 'Content-Length': 10 }).write('12345', () => res.destroy())
    })
    await edge.publish('a', [route('app.test', [app.target])])
    await expect(ask(port)).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  it('end for the target when the visitor leaves', async () => {
    const { edge, port } = await openEdge()
    let left = false
    const app = await openApp('a', (req, res) => {
      res.on('close', () => {
        left = true
      })
      req.resume()
    })
    await edge.publish('a', [route('app.test', [app.target])])
    const socket = connect(port, '127.0.0.1')
    socket.write('POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 100\r\n\r\nsome')
    await soon(() => app.connections()).toBe(1)
    socket.destroy()
    await soon(() => left).toBe(true)
    expect(await edge.drain(['a'], 5)).toEqual({ open: 0 })
  })
})

it('passes an answer on that comes before the end of the upload', async () => {
  const { edge, port } = await openEdge()
  const server = createServer((socket) => {
    socket.once('data', () => socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig'))
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  onClose(() => server.close())
  await once(server, 'listening')
  const target = { id: 'a', host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  await edge.publish('a', [route('app.test', [target])])
  const bytes = `POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: ${8 << 20}\r\n\r\n${'x'.repeat(4 << 20)}`
  const { status, text } = await raw(port, bytes, (seen) => seen.endsWith('big'))
  expect(status).toBe(413)
  expect(text).toMatch(/big$/)
})
