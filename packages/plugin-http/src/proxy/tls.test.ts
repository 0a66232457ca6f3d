import { once } from 'node:events'
import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2'
import { Agent, request } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { one, other, wild } from './testing/certificates.ts'
import { closeAll, onClose, openApp, openEdge, raw, route, soon } from './testing/fixtures.ts'

vi.setConfig({ testTimeout: 30_000 })
afterEach(closeAll)

/** The name in the certificate that a visitor of `host` is shown, and the protocol that both agree on. */
async function shake(port: number, servername: string | undefined, ALPNProtocols = ['http/1.1']) {
  const socket = connect({
    port,
    host: '127.0.0.1',
    servername: servername ?? '',
    rejectUnauthorized: false,
    ALPNProtocols,
  })
  onClose(() => socket.destroy())
  await once(socket, 'secureConnect')
  return { socket, name: socket.getPeerCertificate().subject?.CN, protocol: socket.alpnProtocol }
}

interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: string
  trailers: IncomingHttpHeaders
}

function ask2(session: ClientHttp2Session, headers: Record<string, string>, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': '/', ...headers }, { endStream: body === undefined })
    let seen: IncomingHttpHeaders = {}
    let trailers: IncomingHttpHeaders = {}
    let text = ''
    stream.on('response', (found) => {
      seen = found
    })
    stream.on('trailers', (found) => {
      trailers = found
    })
    stream.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    stream.on('error', reject)
    stream.on('end', () => resolve({ status: Number(seen[':status']), headers: seen, body: text, trailers }))
    if (body !== undefined) stream.end(body)
  })
}

async function open(answer: Parameters<typeof openApp>[1], settings = {}) {
  const lab = await openEdge(settings, { tls: true })
  const app = await openApp('a', answer)
  await lab.edge.publish('a', [route('a.test', [app.target]), route('x.b.test', [app.target])])
  await lab.edge.setCertificates([one, wild])
  const http2 = async () => {
    const session = connectHttp2(`https://a.test:${lab.tlsPort}`, {
      rejectUnauthorized: false,
      createConnection: () =>
        connect({
          port: lab.tlsPort,
          host: '127.0.0.1',
          servername: 'a.test',
          rejectUnauthorized: false,
          ALPNProtocols: ['h2'],
        }),
    })
    onClose(() => session.destroy())
    await once(session, 'connect')
    return session
  }
  return { ...lab, app, http2 }
}

describe('certificates', () => {
  it('are chosen by the name that the visitor asks for', async () => {
    const { tlsPort, edge } = await open((_, res) => res.end())
    expect((await edge.listeners()).map(({ protocol }) => protocol)).toEqual(['http', 'https'])
    expect((await shake(tlsPort, 'a.test')).name).toBe('one')
    expect((await shake(tlsPort, 'A.test')).name).toBe('one')
    expect((await shake(tlsPort, 'x.b.test')).name).toBe('wild')
    // A wildcard covers one label; whoever has no certificate is shown the first.
    expect((await shake(tlsPort, 'y.x.b.test')).name).toBe('one')
    expect((await shake(tlsPort, undefined)).name).toBe('one')
  })

  it('change under open connections, which go on', async () => {
    const { tlsPort, edge } = await open((req, res) => res.end(req.url))
    const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
    onClose(() => agent.destroy())
    const get = async (path: string) => {
      const req = request({
        port: tlsPort,
        host: '127.0.0.1',
        servername: 'a.test',
        path,
        agent,
        headers: { host: 'a.test' },
      })
      req.end()
      const [res] = await once(req, 'response')
      res.resume()
      await once(res, 'end')
      return {
        port: (req.socket as TLSSocket).localPort,
        status: res.statusCode,
        name: (req.socket as TLSSocket).getPeerCertificate().subject.CN,
      }
    }
    const before = await get('/1')
    await edge.setCertificates([other])
    expect(await get('/2')).toEqual(before)
    expect((await shake(tlsPort, 'a.test')).name).toBe('other')
  })

  it('that can not be used change nothing', async () => {
    const { tlsPort, edge } = await open((_, res) => res.end())
    await expect(edge.setCertificates([{ ...other, key: one.key }])).rejects.toMatchObject({
      kind: 'invalid',
    })
    expect((await shake(tlsPort, 'a.test')).name).toBe('one')
  })

  it('hold for threads that start later', async () => {
    const workers: Array<{ terminate(): Promise<number> }> = []
    const keep = (worker: (typeof workers)[number]) => void workers.push(worker)
    process.on('worker', keep)
    onClose(() => process.off('worker', keep))
    const { tlsPort } = await open((_, res) => res.end())
    await Promise.all(workers.slice(0, 2).map((worker) => worker.terminate()))
    await soon(() => workers.length).toBe(4)
    await soon(() =>
      shake(tlsPort, 'a.test').then(
        ({ name }) => name,
        () => undefined,
      ),
    ).toBe('one')
  })

  it('without any there is no handshake, and no harm', async () => {
    const { tlsPort, port } = await openEdge({}, { tls: true })
    await expect(shake(tlsPort, 'a.test')).rejects.toThrow()
    expect((await raw(tlsPort, 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')).text).not.toMatch(/^HTTP/)
    expect((await raw(port, 'GET / HTTP/1.0\r\n\r\n')).status).toBe(404)
  })
})

describe('visitors over TLS', () => {
  it('speak HTTP/1.1, and the target hears of it', async () => {
    const { tlsPort } = await open((req, res) => res.end(JSON.stringify(req.headers)))
    const { socket } = await shake(tlsPort, 'a.test')
    socket.write('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
    let text = ''
    for await (const chunk of socket) text += chunk
    expect(JSON.parse(text.slice(text.indexOf('{')).replace(/\r\n.*$/s, ''))).toMatchObject({
      'x-forwarded-proto': 'https',
      'x-forwarded-port': String(tlsPort),
      forwarded: 'for=127.0.0.1;host="a.test";proto=https',
    })
  })

  it('who never shake hands are cut off', async () => {
    const { tlsPort } = await open((_, res) => res.end(), { headersTimeoutMs: 300 })
    expect((await raw(tlsPort, '\x16\x03\x01')).text).toBe('')
  })
})

describe('HTTP/2', () => {
  it('carries many requests at a time over one connection', async () => {
    const { http2, tlsPort } = await open(async (req, res) => {
      let body = ''
      for await (const chunk of req) body += chunk
      res.setHeader('Set-Cookie', ['a=1', 'b=2'])
      res.end(`${req.method} ${req.headers.host} ${req.httpVersion} ${body}`)
    })
    const session = await http2()
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        ask2(session, { ':method': i % 2 ? 'POST' : 'GET' }, i % 2 ? `body ${i}` : undefined),
      ),
    )
    answers.forEach(({ status, body, headers }, i) => {
      expect([status, body]).toEqual([
        200,
        i % 2 ? `POST a.test:${tlsPort} 1.1 body ${i}` : `GET a.test:${tlsPort} 1.1 `,
      ])
      expect(headers['set-cookie']).toEqual(['a=1', 'b=2'])
    })
  })

  it('knows HEAD, empty answers, trailers and pages', async () => {
    const { http2, edge } = await open((req, res) => {
      if (req.url === '/204') res.writeHead(204).end()
      else if (req.url === '/trailers') {
        res.writeHead(200, { Trailer: 'X-Sum' }).write('x')
        res.addTrailers({ 'X-Sum': '42' })
        res.end()
      } else res.writeHead(200, { 'Content-Length': 5 }).end('hello')
    })
    const session = await http2()
    expect(await ask2(session, { ':method': 'HEAD' })).toMatchObject({
      status: 200,
      body: '',
      headers: { 'content-length': '5' },
    })
    expect(await ask2(session, { ':path': '/204' })).toMatchObject({ status: 204, body: '' })
    expect(await ask2(session, { ':path': '/trailers' })).toMatchObject({
      body: 'x',
      trailers: { 'x-sum': '42' },
    })
    expect(await ask2(session, { ':authority': 'none.test' })).toMatchObject({ status: 404 })
    expect(await edge.drain(['a'], 5)).toEqual({ open: 0 })
  })

  it('takes answers that name a header twice, and passes both on', async () => {
    const lab = await open((req, res) => {
      const etags = req.url === '/' ? ['ETag', '"a"', 'ETag', '"b"'] : ['X-A', 'b']
      res.writeHead(200, [...etags, 'Content-Length', '2']).end('ok')
    })
    const session = await lab.http2()
    const answer = await ask2(session, { ':authority': 'a.test' })
    expect([answer.status, answer.body]).toEqual([200, 'ok'])
    expect(answer.headers.etag).toBeDefined()
    expect(lab.log.entries.filter(({ level }) => level === 'error')).toEqual([])
    expect((await ask2(session, { ':authority': 'a.test', ':path': '/more' })).status).toBe(200)
  })

  it('passes large bodies both ways without piling up', async () => {
    const { http2 } = await open((req, res) => void req.pipe(res))
    const session = await http2()
    const stream = session.request({ ':path': '/', ':method': 'POST' })
    const size = 20 << 20
    const received = (async () => {
      let sum = 0
      for await (const chunk of stream) sum += chunk.length
      return sum
    })()
    const piece = Buffer.alloc(1 << 20, 1)
    for (let sent = 0; sent < size; sent += piece.length)
      if (!stream.write(piece)) await once(stream, 'drain')
    stream.end()
    expect(await received).toBe(size)
  })

  it('ends what its visitor gives up, and what its target breaks off', async () => {
    let left = 0
    const { http2, edge } = await open((req, res) => {
      if (req.url === '/broken')
        res.writeHead(200, { 'Content-Length': 10 }).write('12345', () => res.destroy())
      else res.on('close', () => left++)
    })
    const session = await http2()
    const stream = session.request({ ':path': '/stay' })
    stream.on('error', () => {})
    await soon(() => edge.drain(['a'], 0)).toEqual({ open: 1 })
    stream.close(8)
    await soon(() => left).toBe(1)
    expect(await edge.drain(['a'], 5)).toEqual({ open: 0 })
    await expect(ask2(session, { ':path': '/broken' })).rejects.toThrow()
    expect(session.destroyed).toBe(false)
  })

  it('lets its streams end when the edge closes', async () => {
    let finish: (() => void) | undefined
    const { http2, edge } = await open((_, res) => {
      finish = () => res.end('done')
    })
    const session = await http2()
    const asked = ask2(session, {})
    await soon(() => finish !== undefined).toBe(true)
    const closed = edge.close(30_000)
    await soon(() => session.closed || session.destroyed).toBe(true)
    finish?.()
    expect(await asked).toMatchObject({ status: 200, body: 'done' })
    await closed
  })
})

describe('ACME', () => {
  const challenge = {
    type: 'tls-alpn-01' as const,
    host: 'a.test',
    certificate: other.certificate,
    key: other.key,
  }

  it('is shown its certificate where it asks for it, and others are not', async () => {
    const { tlsPort, edge } = await open((_, res) => res.end())
    await edge.setChallenges([challenge])
    expect(await shake(tlsPort, 'a.test', ['acme-tls/1'])).toMatchObject({
      name: 'other',
      protocol: 'acme-tls/1',
    })
    expect(await shake(tlsPort, 'a.test')).toMatchObject({ name: 'one', protocol: 'http/1.1' })
    await edge.setChallenges([])
    await expect(shake(tlsPort, 'a.test', ['acme-tls/1'])).rejects.toThrow()
  })

  it('finds its token over plain HTTP, whatever the app does', async () => {
    const { port, edge } = await open((_, res) => res.end('app'))
    await edge.setPolicy('a', { maintenance: true })
    await edge.setChallenges([{ type: 'http-01', host: 'a.test', token: 'tok', keyAuthorization: 'tok.key' }])
    const get = (path: string) =>
      raw(port, `GET ${path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`)
    expect((await get('/.well-known/acme-challenge/tok')).text).toMatch(/200 OK[\s\S]*tok\.key$/)
    expect((await get('/.well-known/acme-challenge/none')).status).toBe(503)
  })
})

describe('the PROXY protocol', () => {
  const header = 'PROXY TCP4 192.0.2.7 10.0.0.1 5000 443\r\n'
  const text = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n'

  it('tells who the visitor is, also before TLS', async () => {
    const { port, tlsPort } = await open((req, res) => res.end(String(req.headers['x-forwarded-for'])), {
      proxyProtocol: true,
    })
    expect((await raw(port, header + text)).text).toContain('192.0.2.7')
    const socket = connectTcp(tlsPort, '127.0.0.1')
    await once(socket, 'connect')
    socket.write(header)
    const tls = connect({ socket, servername: 'a.test', rejectUnauthorized: false })
    await once(tls, 'secureConnect')
    tls.write(text)
    let seen = ''
    for await (const chunk of tls) seen += chunk
    expect(seen).toContain('192.0.2.7')
  })

  it('is a must where it is switched on', async () => {
    const { port } = await open((_, res) => res.end('in'), { proxyProtocol: true, headersTimeoutMs: 500 })
    expect((await raw(port, text)).text).toBe('')
    expect((await raw(port, 'PROXY TCP4')).text).toBe('')
  })

  it('is spoken by trusted proxies only, where there are any', async () => {
    const { port } = await open((req, res) => res.end(`for ${req.headers['x-forwarded-for']}`), {
      proxyProtocol: true,
      trustedProxies: ['10.0.0.0/8'],
    })
    expect((await raw(port, text)).text).toContain('for 127.0.0.1')
    expect((await raw(port, header + text)).status).toBe(400)
  })
})
