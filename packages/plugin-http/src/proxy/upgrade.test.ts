import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
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

describe('WebSockets', () => {
  async function openEcho() {
    const { edge, port } = await openEdge()
    const app = await openApp('a', (_, res) => res.end('http'))
    const sockets = new WebSocketServer({ server: app.server })
    onClose(() => sockets.close())
    sockets.on('connection', (socket, req: IncomingMessage) => {
      socket.send(JSON.stringify(req.headers))
      socket.on('message', (data, binary) => socket.send(data, { binary }))
    })
    await edge.publish('a', [route('', [app.target])])
    const client = new WebSocket(`ws://127.0.0.1:${port}/chat`, ['json'])
    onClose(() => client.terminate())
    const [hello] = await once(client, 'message')
    return { edge, port, client, sockets, hello: JSON.parse(String(hello)) as Record<string, string> }
  }

  it('pass messages both ways, small and large', async () => {
    const { client, hello, port } = await openEcho()
    expect(hello).toMatchObject({ 'x-forwarded-for': '127.0.0.1', host: `127.0.0.1:${port}` })
    for (const size of [1, 200, 70_000, 3 << 20]) {
      const payload = Buffer.alloc(size, 7)
      client.send(payload)
      const [data] = await once(client, 'message')
      expect(Buffer.compare(data as Buffer, payload)).toBe(0)
    }
    expect((await ask(port)).body).toBe('http')
  })

  it('are in flight until they end, by either side', async () => {
    const { edge, client } = await openEcho()
    expect(await edge.drain(['a'], 0.05)).toEqual({ open: 1 })
    client.close(1000, 'bye')
    await once(client, 'close')
    expect(await edge.drain(['a'], 10)).toEqual({ open: 0 })
    expect(await edge.metrics()).toContain('kernel_edge_requests_total{app="a",status="1xx"} 1')
  })

  it('end for the visitor when the target dies, and the other way round', async () => {
    const first = await openEcho()
    for (const socket of first.sockets.clients) socket.terminate()
    await once(first.client, 'close')
    expect(await first.edge.drain(['a'], 10)).toEqual({ open: 0 })
    const second = await openEcho()
    const [server] = second.sockets.clients
    second.client.terminate()
    await once(server!, 'close')
    expect(await second.edge.drain(['a'], 10)).toEqual({ open: 0 })
  })
})

describe('other upgrades', () => {
  const ask101 = 'GET / HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'

  async function openUpgrade(serve: (req: IncomingMessage, socket: Socket, head: Buffer) => void) {
    const { edge, port } = await openEdge()
    const app = await openApp('a', (req, res) => res.end(req.headers.upgrade ?? 'plain'))
    app.server.on('upgrade', (req, socket: Socket, head) => {
      socket.on('error', () => {})
      serve(req, socket, head)
    })
    await edge.publish('a', [route('app.test', [app.target])])
    return { edge, port }
  }

  const agree = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-A: b\r\n\r\n'

  it('pass bytes that come right behind the head, and each end on its own', async () => {
    const { edge, port } = await openUpgrade((_req, socket, head) => {
      socket.write(`${agree}early `)
      let text = String(head)
      socket.on('data', (chunk) => {
        text += chunk
      })
      // The visitor has ended; the target still answers.
      socket.on('end', () => setTimeout(() => socket.end(`got ${text}`), 50))
    })
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.end(`${ask101}ping`)
    let text = ''
    for await (const chunk of socket) text += chunk
    expect(text).toMatch(/^HTTP\/1\.1 101 [\s\S]*Upgrade: echo\r\n[\s\S]*X-A: b\r\n\r\nearly got ping$/)
    expect(await edge.drain(['a'], 10)).toEqual({ open: 0 })
  })

  it('carry the end of the target to the visitor', async () => {
    const { edge, port } = await openUpgrade((_req, socket) => {
      socket.write(agree)
      socket.end('bye')
    })
    const { text } = await raw(port, ask101)
    expect(text).toMatch(/bye$/)
    expect(await edge.drain(['a'], 10)).toEqual({ open: 0 })
  })

  it('that the target refuses are answered with its refusal', async () => {
    const { edge, port } = await openUpgrade((_req, socket) => {
      socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno')
    })
    const { status, text } = await raw(port, ask101)
    expect([status, text.slice(-2)]).toEqual([401, 'no'])
    expect(await edge.drain(['a'], 10)).toEqual({ open: 0 })
  })

  it('wait like any request, and get pages', async () => {
    const { edge, port } = await openUpgrade((_req, socket) => void socket.end(`${agree}late`))
    const targets = (await edge.list())[0]!.targets
    await edge.publish('a', [route('app.test', [], { state: 'hold' })])
    const waiting = raw(port, ask101)
    await soon(() => edge.metrics()).toContain('kernel_edge_held 1')
    await edge.publish('a', [route('app.test', targets)])
    expect((await waiting).text).toMatch(/late$/)
    await edge.publish('a', [route('app.test', [{ id: 'x', host: '127.0.0.1', port: await closedPort() }])])
    expect((await raw(port, ask101)).status).toBe(502)
    await edge.withdraw('a')
    expect((await raw(port, ask101)).status).toBe(404)
  })

  it('with a body bring it along', async () => {
    const { port } = await openUpgrade((req, socket, head) => {
      let text = String(head)
      req.on('data', (chunk) => {
        text += chunk
      })
      setTimeout(() => socket.end(`${agree}${text}`), 200)
    })
    const post = ask101.replace('GET', 'POST').replace('\r\n\r\n', '\r\nContent-Length: 4\r\n\r\nbody')
    expect((await raw(port, post)).text).toMatch(/body$/)
  })

  it('to HTTP/2 are not taken up: the request is answered as it is', async () => {
    const { port } = await openUpgrade((_req, socket) => void socket.destroy())
    const h2c = ask101
      .replace('echo', 'h2c')
      .replace('Upgrade\r\n', 'Upgrade, HTTP2-Settings\r\nHTTP2-Settings: A\r\n')
    const { text } = await raw(port, h2c, (seen) => seen.includes('plain'))
    expect(text).toMatch(/^HTTP\/1\.1 200 [\s\S]*plain/)
  })
})
