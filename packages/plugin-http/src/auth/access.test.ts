import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import type { HttpHandler } from '@kernel/contracts'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connectRaw } from '../testing/raw-client.ts'
import { startTestServer } from '../testing/start-server.ts'

const show = (_request: Request, env: { caller?: string }) => new Response(env.caller ?? 'nobody')

describe('access over TCP', () => {
  it('needs a token where the mount says so, and takes it as Bearer or as password', async () => {
    const { server, tokens, url } = await startTestServer()
    server.mount('/in/', show, { auth: 'caller' })
    server.mount('/open/', show, { auth: 'handler' })
    const { token } = await tokens.create('ci')
    const get = async (path: string, authorization?: string) => {
      const response = await fetch(url + path, authorization ? { headers: { authorization } } : {})
      return [response.status, await response.text()]
    }
    expect(await get('/open/')).toEqual([200, 'nobody'])
    expect(await get('/in/', `Bearer ${token}`)).toEqual([200, 'ci'])
    expect(await get('/in/', `Basic ${btoa(`git:${token}`)}`)).toEqual([200, 'ci'])
    expect(await get('/open/', `Bearer ${token}`)).toEqual([200, 'ci'])
    const [status, body] = await get('/in/', 'Bearer wrong')
    expect(status).toBe(401)
    expect(JSON.parse(String(body))).toMatchObject({
      kind: 'unauthorized',
      hint: expect.stringContaining('tokens:create'),
    })
    const refused = await fetch(`${url}/in/`)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Basic realm="kernel"'])
  })

  it('is decided by the path that the handler sees', async () => {
    const { server, url } = await startTestServer()
    const path: HttpHandler = (request) => new Response(new URL(request.url).pathname)
    server.mount('/', path, { auth: 'caller' })
    server.mount('/open', path, { auth: 'handler' })
    const { hostname, port } = new URL(url)
    const ask = async (target: string) => {
      const client = await connectRaw({ host: hostname, port: Number(port) })
      client.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
      return (await client.end()).toString().split('\r\n', 1)[0]
    }
    expect(await ask('/open/x')).toContain('200')
    for (const target of ['/open/../in', '/open/%2e%2e/in', '/%6fpen/x', '/openly', '//open', 'http://x/in'])
      expect([target, await ask(target)]).toEqual([target, expect.stringContaining('401')])
  })

  it('signs browsers in by a cookie that only the own pages may use', async () => {
    const { server, tokens, url } = await startTestServer()
    server.mount('/in/', show, { auth: 'caller' })
    const { token } = await tokens.create('ada')
    const session = `${url}/api/v1/session`
    const browser = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', origin: url }
    const signIn = (secret: string, headers: Record<string, string> = browser) =>
      fetch(session, { method: 'POST', headers, body: JSON.stringify({ token: secret }) })
    expect((await signIn('wrong')).status).toBe(401)
    expect((await signIn(token, { ...browser, origin: 'http://evil.example' })).status).toBe(403)
    const signedIn = await signIn(token)
    expect(signedIn.status).toBe(200)
    const cookie = signedIn.headers.get('set-cookie')!.split(';')[0]!
    const call = (headers: Record<string, string>) => fetch(`${url}/in/`, { headers: { cookie, ...headers } })
    expect(await (await call(browser)).text()).toBe('ada')
    expect((await call({ ...browser, 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await fetch(session, { headers: { ...browser, cookie } })).status).toBe(200)
    await fetch(session, { method: 'DELETE', headers: { ...browser, cookie } })
    expect((await call(browser)).status).toBe(401)
  })

  it('lets clients with a certificate in, and nobody else to the same port', async () => {
    const { ca, issue } = makeAuthority()
    const own = issue('server')
    const client = issue('ada')
    const { server } = await startTestServer({ hosts: [], tls: undefined })
    server.mount('/in/', show, { auth: 'caller' })
    await server.reload({ hosts: ['tcp://127.0.0.1:0'], tls: { cert: own.cert, key: own.key, ca } })
    const [url] = await server.addresses()
    expect(url).toMatch(/^https:/)
    const get = (options: https.RequestOptions) =>
      new Promise<string>((resolve, reject) => {
        const request = https.get(
          `${url}/in/`,
          { ca: readFileSync(ca), ...options, agent: false },
          async (response) => {
            let body = ''
            for await (const chunk of response) body += chunk
            resolve(body)
          },
        )
        request.on('error', reject)
      })
    expect(await get({ cert: readFileSync(client.cert), key: readFileSync(client.key) })).toBe('ada')
    await expect(get({})).rejects.toThrow()
  })

  it('lets a client over TLS end its side and still be answered', async () => {
    const { ca, issue } = makeAuthority()
    const own = issue('server')
    const { server } = await startTestServer({ hosts: [] })
    const talk: HttpHandler = (_request, env) => {
      const connection = env.hijack('text/plain')
      connection.on('data', (chunk) => connection.write(`echo:${chunk};`))
      connection.on('end', () => connection.end('bye'))
      return env.hijacked
    }
    server.mount('/talk', talk, { auth: 'caller' })
    await server.reload({ hosts: ['tcp://127.0.0.1:0'], tls: { cert: own.cert, key: own.key, ca } })
    const port = Number(new URL((await server.addresses())[0]!).port)
    const { cert, key } = issue('ada')
    const options = { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) }
    const socket = tls.connect({
      host: '127.0.0.1',
      port,
      allowHalfOpen: true,
      ...options,
    } as tls.ConnectionOptions)
    socket.write('POST /talk HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
    socket.end('hello')
    let text = ''
    for await (const chunk of socket) text += chunk
    expect(text).toMatch(/^HTTP\/1.1 101 UPGRADED\r\n.*echo:hello;bye$/s)
  })
})

/** A certificate authority of this test. */
function makeAuthority() {
  const dir = mkdtempSync(join(tmpdir(), 'kernel-tls-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  openssl('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=test', '-days', '2')
  return {
    ca: join(dir, 'ca.pem'),
    issue(name: string) {
      const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1']
      const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-days', '2']
      openssl(
        'req',
        '-x509',
        ...newKey,
        ...signer,
        ...subject,
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.pem`,
      )
      return { cert: join(dir, `${name}.pem`), key: join(dir, `${name}.key`) }
    },
  }
}
