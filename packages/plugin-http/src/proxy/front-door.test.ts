import { randomBytes, scryptSync } from 'node:crypto'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib'
import type { SitePolicy } from '@kernel/contracts'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { ask, closeAll, onClose, openApp, openEdge, raw, route, type Settings } from './testing/fixtures.ts'

vi.setConfig({ testTimeout: 30_000 })
afterEach(closeAll)

const salt = randomBytes(16)
const hash = scryptSync('secret', salt, 32, { N: 1024, r: 8, p: 1 })
const basicAuth = {
  realm: 'shop',
  users: { ann: `scrypt$1024$8$1$${salt.toString('base64')}$${hash.toString('base64')}` },
}
const ann = { authorization: `Basic ${Buffer.from('ann:secret').toString('base64')}` }

async function openShop(policy: SitePolicy, settings: Settings = {}) {
  const { edge, port } = await openEdge(settings)
  const seen: string[] = []
  const app = await openApp('a', async (req, res) => {
    seen.push(`${req.method} ${req.url}`)
    for await (const _ of req);
    res.end('shop')
  })
  await edge.setPolicy('shop', policy)
  await edge.publish('shop', [route('', [app.target])])
  return { edge, port, app, seen }
}

describe('a password', () => {
  it('stands before every request, whatever came before it on the connection', async () => {
    const { port, seen } = await openShop({ basicAuth })
    const one = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: app.test\r\n${more}\r\n`
    const right = `Authorization: ${ann.authorization}\r\n`
    const all = [one('/1'), one('/2', right), one('/3'), one('/4', right), one('/5', 'Connection: close\r\n')]
    const { text } = await raw(port, all.join(''))
    expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual([
      '401',
      '200',
      '401',
      '200',
      '401',
    ])
    expect(seen).toEqual(['GET /2', 'GET /4'])
  })

  it('stands before bodies and WebSockets as well', async () => {
    const { port, app, seen } = await openShop({ basicAuth })
    const sockets = new WebSocketServer({ server: app.server })
    onClose(() => sockets.close())
    sockets.on('connection', (socket) => socket.send('hello'))
    expect((await ask(port, { method: 'POST', body: 'x'.repeat(100_000) })).status).toBe(401)
    const refused = new WebSocket(`ws://127.0.0.1:${port}/chat`)
    const [, answer] = (await once(refused, 'unexpected-response')) as [unknown, IncomingMessage]
    expect(answer.statusCode).toBe(401)
    expect(seen).toEqual([])
    const welcome = new WebSocket(`ws://127.0.0.1:${port}/chat`, { headers: ann })
    onClose(() => welcome.terminate())
    expect(String((await once(welcome, 'message'))[0])).toBe('hello')
  })

  it('is asked for of those who waited while it was set', async () => {
    const { edge, port, app } = await openShop({ hsts: 'max-age=1' })
    await edge.publish('shop', [route('', [], { state: 'hold' })])
    const waits = ask(port)
    await expect.poll(async () => (await edge.metrics()).match(/kernel_edge_held (\d+)/)?.[1]).toBe('1')
    await edge.setPolicy('shop', { basicAuth })
    await edge.publish('shop', [route('', [app.target])])
    expect((await waits).status).toBe(401)
  })

  it('is asked for from the moment it is set, and no more when it is gone', async () => {
    const { edge, port } = await openShop({})
    expect((await ask(port)).status).toBe(200)
    await edge.setPolicy('shop', { basicAuth })
    expect((await ask(port)).status).toBe(401)
    expect((await ask(port, { headers: ann })).status).toBe(200)
    await edge.setPolicy('shop', { basicAuth: { realm: 'shop', users: {} } })
    expect((await ask(port, { headers: ann })).status).toBe(401)
    await edge.setPolicy('shop', {})
    expect((await ask(port)).status).toBe(200)
  })

  it('is no obstacle for an ACME server, and its path none for the password', async () => {
    const { edge, port } = await openShop({ basicAuth, maintenance: true })
    const token = { type: 'http-01', host: 'app.test', token: 'tok', keyAuthorization: 'tok.key' } as const
    await edge.setChallenges([token])
    const at = (path: string) => ask(port, { path: `/.well-known/acme-challenge/${path}` })
    expect(await at('tok')).toMatchObject({ status: 200, body: 'tok.key' })
    expect((await at('other')).status).toBe(503)
    await edge.setChallenges([])
    expect((await at('tok')).status).toBe(503)
  })
})

describe('a rate', () => {
  const rateLimit = { perSecond: 0.01, burst: 2 }
  const times = async (count: number, port: number, address: (n: number) => string) => {
    const statuses: number[] = []
    for (let n = 0; n < count; n++)
      statuses.push((await ask(port, { headers: { 'x-forwarded-for': address(n) } })).status)
    return statuses
  }

  it('counts the visitors of a trusted proxy one by one', async () => {
    const { port } = await openShop({ rateLimit }, { trustedProxies: ['127.0.0.0/8'] })
    expect(await times(3, port, () => '192.0.2.1')).toEqual([200, 200, 429])
    expect(await times(3, port, () => '192.0.2.2')).toEqual([200, 200, 429])
    // What a visitor has put before itself counts for nothing.
    expect(await times(2, port, (n) => `203.0.113.${n}, 192.0.2.1`)).toEqual([429, 429])
  })

  it('believes nobody else', async () => {
    const { port } = await openShop({ rateLimit })
    expect(await times(4, port, (n) => `192.0.2.${n}`)).toEqual([200, 200, 429, 429])
  })
})

describe('a coding', () => {
  const decoders = { gzip: createGunzip, br: createBrotliDecompress, zstd: createZstdDecompress }

  it.each(['gzip', 'br', 'zstd'] as const)(
    'by %s holds nothing back that the app has sent',
    async (coding) => {
      const { edge, port } = await openEdge()
      let go = () => {}
      const gate = new Promise<void>((resolve) => {
        go = resolve
      })
      const app = await openApp('a', async (_, res) => {
        res.writeHead(200, { 'content-type': 'text/plain' })
        res.write('first ')
        await gate
        res.end('last')
      })
      await edge.setPolicy('shop', { compress: [coding] })
      await edge.publish('shop', [route('', [app.target])])
      const req = get({ port, host: '127.0.0.1', headers: { host: 'app.test', 'accept-encoding': coding } })
      const [res] = (await once(req, 'response')) as [IncomingMessage]
      expect(res.headers['content-encoding']).toBe(coding)
      const text = res.pipe(decoders[coding]())
      expect(String((await once(text, 'data'))[0])).toBe('first ')
      go()
      expect(String((await once(text, 'data'))[0])).toBe('last')
      await once(text, 'end')
    },
  )
})
