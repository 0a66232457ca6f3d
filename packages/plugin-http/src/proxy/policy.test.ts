import { scryptSync } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { SitePolicy } from '@kernel/contracts'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { ask, closeAll, onClose, openApp, openEdge, raw, route, soon } from './testing/fixtures.ts'

vi.setConfig({ testTimeout: 30_000 })
afterEach(closeAll)

const TEXT = 'All work and no play. '.repeat(500)

async function open(policy: SitePolicy, settings = {}) {
  const lab = await openEdge(settings)
  let seen = 0
  const app = await openApp('a', (req, res) => {
    seen++
    if (req.url === '/drip') {
      res.writeHead(200, { 'Content-Type': 'text/plain' }).write(TEXT)
      setTimeout(() => res.end('end'), 200)
    } else if (req.url === '/text')
      res
        .writeHead(200, { 'Content-Type': 'text/html', ETag: '"e"', 'Content-Length': TEXT.length })
        .end(TEXT)
    else req.on('data', () => {}).on('end', () => res.end('app'))
  })
  await lab.edge.publish('a', [route('app.test', [app.target])])
  await lab.edge.setPolicy('a', policy)
  return { ...lab, seen: () => seen }
}

describe('before an app is reached', () => {
  it('maintenance answers with a page, of one’s own where there is one', async () => {
    const { port, edge, seen } = await open({ maintenance: true })
    expect(await ask(port)).toMatchObject({
      status: 503,
      headers: { 'retry-after': '60' },
      body: expect.stringContaining('worked on'),
    })
    await edge.setPolicy('a', { maintenance: true, pages: { maintenance: '<h1>Back at nine</h1>' } })
    expect((await ask(port, { headers: { accept: 'text/html' } })).body).toBe('<h1>Back at nine</h1>')
    expect((await ask(port, { headers: { accept: 'application/json' } })).body).not.toContain('<h1>')
    expect(seen()).toBe(0)
    await edge.setPolicy('a', {})
    expect((await ask(port)).body).toBe('app')
  })

  it('redirects lead away, and to https', async () => {
    const { port, edge } = await open({
      redirects: [{ path: '/old', to: 'https://new.test/n', status: 308, keepPath: true }],
    })
    expect(await ask(port, { path: '/old/x?y' })).toMatchObject({
      status: 308,
      headers: { location: 'https://new.test/n/x?y' },
    })
    expect((await ask(port, { path: '/older' })).status).toBe(200)
    await edge.setPolicy('a', { httpsRedirect: { port: 8443 } })
    expect(await ask(port, { path: '/x?y' })).toMatchObject({
      status: 301,
      headers: { location: 'https://app.test:8443/x?y' },
    })
    expect((await ask(port, { method: 'POST', body: 'x' })).status).toBe(308)
  })

  it('a proxy in front that is trusted has seen to https', async () => {
    const { port } = await open(
      { httpsRedirect: { port: 443 }, hsts: 'max-age=60' },
      { trustedProxies: ['127.0.0.1'] },
    )
    expect((await ask(port)).status).toBe(301)
    expect(await ask(port, { headers: { 'x-forwarded-proto': 'https' } })).toMatchObject({
      status: 200,
      headers: { 'strict-transport-security': 'max-age=60' },
    })
  })

  it('visitors sign in', async () => {
    const salt = Buffer.alloc(16, 7)
    const hash = scryptSync('secret', salt, 32, { N: 1024, r: 8, p: 1 })
    const users = { ann: `scrypt$1024$8$1$${salt.toString('base64')}$${hash.toString('base64')}` }
    const { port, seen } = await open({ basicAuth: { realm: 'shop', users } })
    const as = (text: string) =>
      ask(port, { headers: { authorization: `Basic ${Buffer.from(text).toString('base64')}` } })
    expect(await ask(port)).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': expect.stringContaining('shop') },
    })
    expect((await as('ann:wrong')).status).toBe(401)
    expect((await as('bob:secret')).status).toBe(401)
    expect(seen()).toBe(0)
    for (let i = 0; i < 3; i++) expect((await as('ann:secret')).body).toBe('app')
  })

  it('those who ask too often wait, on whichever thread', async () => {
    const { port } = await open({ rateLimit: { perSecond: 0.01, burst: 5 } })
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask(port)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(5)
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused).toHaveLength(7)
    expect(Number(refused[0]!.headers['retry-after'])).toBeGreaterThan(0)
  })

  it('bodies are no larger than allowed, told or not', async () => {
    const { port } = await open({ maxBodyBytes: 1000 })
    const post = (size: number, headers: Record<string, string>) =>
      ask(port, { method: 'POST', headers, body: 'x'.repeat(size) })
    expect((await post(1000, { 'content-length': '1000' })).status).toBe(200)
    expect((await post(1001, { 'content-length': '1001' })).status).toBe(413)
    expect((await post(1000, { 'transfer-encoding': 'chunked' })).status).toBe(200)
    expect((await post(5000, { 'transfer-encoding': 'chunked' })).status).toBe(413)
  })

  it('pages of one’s own take the place of the edge’s', async () => {
    const { port, edge } = await open({ pages: { '503': 'mine', '502': 'broken' } })
    await edge.publish('a', [route('app.test', [], { state: 'down' })])
    await edge.setDefaultPages({ '404': 'nobody' })
    const html = { accept: 'text/html' }
    expect((await ask(port, { headers: html })).body).toBe('mine')
    expect((await ask(port, { headers: { ...html, host: 'none.test' } })).body).toBe('nobody')
  })
})

describe('answers', () => {
  const get = async (port: number, path: string, coding: string) => {
    const req = request({
      port,
      host: '127.0.0.1',
      path,
      headers: { host: 'app.test', 'accept-encoding': coding },
    })
    req.end()
    const [res] = await once(req, 'response')
    const chunks: Buffer[] = []
    for await (const chunk of res) chunks.push(chunk as Buffer)
    return { headers: res.headers, body: Buffer.concat(chunks), pieces: chunks.length }
  }

  it('are encoded where both sides gain', async () => {
    const { port } = await open({ compress: ['zstd', 'br', 'gzip'] })
    const decode = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync }
    for (const coding of ['gzip', 'br', 'zstd'] as const) {
      const { headers, body } = await get(port, '/text', coding)
      expect(headers).toMatchObject({ 'content-encoding': coding, etag: 'W/"e"', vary: 'Accept-Encoding' })
      expect(headers['content-length']).toBeUndefined()
      expect(body.length).toBeLessThan(TEXT.length / 5)
      expect(decode[coding](body).toString()).toBe(TEXT)
    }
    const plain = await get(port, '/text', 'identity')
    expect(plain.headers).toMatchObject({ vary: 'Accept-Encoding', 'content-length': String(TEXT.length) })
    expect((await get(port, '/', 'gzip')).headers['content-encoding']).toBeUndefined()
  })

  it('that are encoded leave as they come', async () => {
    const { port } = await open({ compress: ['gzip'] })
    const { body, pieces } = await get(port, '/drip', 'gzip')
    expect(pieces).toBeGreaterThan(1)
    expect(gunzipSync(body).toString()).toBe(`${TEXT}end`)
  })
})

describe('what is left after a drain', () => {
  it('is cut: WebSockets hear that the service restarts, on both sides', async () => {
    const { edge, port } = await openEdge()
    const app = await openApp('a', (_, res) => res.end())
    const sockets = new WebSocketServer({ server: app.server })
    onClose(() => sockets.close())
    const codes: number[] = []
    sockets.on('connection', (socket) => {
      socket.on('message', (data) => socket.send(data))
      socket.on('close', (code) => codes.push(code))
    })
    await edge.publish('a', [route('app.test', [app.target])])
    const clients = await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const client = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host: 'app.test' } })
        onClose(() => client.terminate())
        await once(client, 'open')
        // In the midst of a conversation.
        client.send(Buffer.alloc(i * 50_000 + 1))
        return client
      }),
    )
    const closed = clients.map((client) => once(client, 'close'))
    await edge.withdraw('a')
    expect((await edge.drain(['a'], 0.05)).open).toBe(10)
    await edge.cut(['a'])
    for (const [code] of await Promise.all(closed)) expect(code).toBe(1012)
    await soon(() => codes.length).toBe(10)
    expect(codes.every((code) => code === 1012)).toBe(true)
    expect(await edge.drain(['a'], 5)).toEqual({ open: 0 })
  })

  it('of other protocols ends', async () => {
    const { edge, port } = await openEdge()
    const app = await openApp('a', () => {})
    app.server.on('upgrade', (_req, socket) => {
      socket.on('error', () => {})
      socket.on('end', () => socket.end()).resume()
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    })
    await edge.publish('a', [route('app.test', [app.target])])
    const ended = raw(
      port,
      'GET / HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n',
    )
    await soon(() => edge.drain(['a'], 0)).toEqual({ open: 1 })
    await edge.cut(['a'])
    expect((await ended).status).toBe(101)
    expect(await edge.drain(['a'], 0)).toEqual({ open: 0 })
  })
})
