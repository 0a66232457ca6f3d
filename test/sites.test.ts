import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacks } from './harness/host.ts'
import { makeCertificate } from './harness/openssl.ts'
import { freePorts } from './harness/ports.ts'
import { Repository } from './harness/repository.ts'
import { must } from './harness/run.ts'
import { nodeApp, nodeProgram } from './harness/sources.ts'
import { eventually } from './harness/until.ts'
import { useDaemon } from './harness/use-daemon.ts'
import { fetchPage, visitDuring } from './harness/visitor.ts'

const absent = lacks('the front door', 'openssl', 'curl')
const [https = 0] = await freePorts(1)

/** Tells what it was asked; `/text` is long, `/feed` are events, `/packed` is encoded already. */
const echo = nodeProgram(`
import { createServer } from 'node:http'
import { gzipSync } from 'node:zlib'
const text = 'All work and no play makes Jack a dull boy.\\n'.repeat(500)
createServer(async (request, response) => {
  let bytes = 0
  for await (const piece of request) bytes += piece.length
  if (request.url === '/text') return response.writeHead(200, { 'content-type': 'text/plain', etag: '"one"' }).end(text)
  if (request.url === '/feed') return response.writeHead(200, { 'content-type': 'text/event-stream' }).end('data: ' + text)
  if (request.url === '/packed')
    return response.writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' }).end(gzipSync(text))
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ url: request.url, bytes }))
}).listen(process.env.PORT)
`)

describe.skipIf(absent)('the front door of an app', () => {
  const lab = useDaemon({ args: ['--driver', 'process', '--https', `127.0.0.1:${https}`] })
  const dir = mkdtempSync(join(tmpdir(), 'kernel-sites-'))
  const secure = (app: string) => `https://${app}.e2e.test:${https}/`
  const kernel = (line: string, input?: string) =>
    lab.daemon.kernel(line.split(' '), input === undefined ? {} : { input })
  const visit = (app: string, path = '', options: Parameters<typeof fetchPage>[1] = {}) =>
    fetchPage(lab.daemon.url(app) + path, options)
  const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })

  beforeAll(async () => {
    for (const [app, source] of [
      ['echo', echo],
      ['blog', nodeApp('blog')],
    ] as const)
      await (await Repository.create(lab.daemon, app, source)).deploy()
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  describe('TLS', () => {
    it('has a certificate an app, by SNI, and leads plain visitors there', async () => {
      const { stdout } = await kernel('certs:generate blog')
      expect(stdout).toMatch(/Hosts: +blog\.e2e\.test/)
      const { stdout: ca } = await kernel('certs:show blog')
      expect(await fetchPage(secure('blog'), { ca })).toMatchObject({ status: 200, body: 'blog' })
      const plain = await visit('blog', 'a?b=1')
      expect([plain.status, plain.headers.location]).toEqual([301, `${secure('blog')}a?b=1`])
      const report = await lab.daemon.json<{ urls: string[] }>(['domains:report', 'blog'])
      expect(report.urls).toEqual([secure('blog').slice(0, -1)])
      await kernel('edge:set blog https-redirect off')
      expect(await visit('blog')).toMatchObject({ status: 200, body: 'blog' })
      expect((await visit('echo')).status).toBe(200)
    })

    it('takes certificates from files, over SSH, and as a tar archive', async () => {
      const { daemon } = lab
      const one = await makeCertificate(dir, 'one', ['DNS:blog.e2e.test', 'DNS:www.blog.e2e.test'])
      await daemon.kernel(['certs:add', 'blog', one.certFile, one.keyFile])
      expect((await fetchPage(secure('blog'), { ca: one.cert })).body).toBe('blog')
      const two = await makeCertificate(dir, 'two', ['DNS:blog.e2e.test'])
      const ran = await daemon.ssh(['certs:update', 'blog'], { input: two.cert + two.key })
      expect(ran.code, ran.output).toBe(0)
      expect((await fetchPage(secure('blog'), { ca: two.cert })).body).toBe('blog')
      await makeCertificate(dir, 'three', ['DNS:elsewhere.test'])
      await must('tar', ['-cf', join(dir, 'pair.tar'), '-C', dir, 'three.crt', 'three.key'])
      const added = await daemon.kernel(['certs:add', 'blog'], { input: readFileSync(join(dir, 'pair.tar')) })
      expect(added.stdout).toMatch(/Hosts: +elsewhere\.test/)
      expect(added.stderr).toMatch(/^ ! {5}It is not for blog\.e2e\.test\.$/m)
      await daemon.kernel(['certs:add', 'blog', one.certFile, one.keyFile])
    })

    it('refuses what does not fit, and goes on as it was', async () => {
      const { daemon } = lab
      const [one, two] = [join(dir, 'one.crt'), join(dir, 'two.key')]
      const { stderr } = await daemon.kernel(['certs:add', 'blog', one, two], { code: 2 })
      expect(stderr).toMatch(/^ ! {5}The key is not that of the certificate$/m)
      expect(stderr).not.toContain('PRIVATE')
      await daemon.kernel(['certs:show', 'blog', 'key'], { code: 5 })
      await daemon.kernel(['certs:add', 'none', one, join(dir, 'one.key')], { code: 3 })
      const { stdout: ca } = await kernel('certs:show blog')
      expect((await fetchPage(secure('blog'), { ca })).body).toBe('blog')
    })

    it('changes a certificate, and the daemon’s config, under its visitors', async () => {
      const { daemon } = lab
      const files = ['one', 'two'].map((name) => [join(dir, `${name}.crt`), join(dir, `${name}.key`)])
      const ca = files.map(([crt]) => readFileSync(crt!, 'utf8'))
      const open = connect({ port: https, host: '127.0.0.1', servername: 'blog.e2e.test', ca })
      await new Promise((resolve, reject) => open.once('secureConnect', resolve).once('error', reject))
      const { seen } = await visitDuring(
        secure('blog'),
        async () => {
          for (let n = 0; n < 6; n++) {
            await daemon.kernel(['certs:add', 'blog', ...files[(n + 1) % 2]!])
            daemon.process?.kill('SIGHUP')
          }
          await eventually(() => expect(daemon.logTail(200)).toMatch(/Config reloaded/))
        },
        { ca },
      )
      for (const visitor of seen)
        expect(visitor).toEqual({ requests: expect.any(Number), answers: ['200 blog'], failures: [] })
      open.write('GET / HTTP/1.1\r\nHost: blog.e2e.test\r\nConnection: close\r\n\r\n')
      let answer = ''
      for await (const piece of open) answer += piece
      expect(answer).toMatch(/^HTTP\/1\.1 200/)
    })

    it('sends HSTS over TLS alone, and speaks HTTP/2', async () => {
      await kernel('edge:set blog hsts max-age=60; includeSubDomains')
      const { stdout: ca } = await kernel('certs:show blog')
      const { headers } = await fetchPage(secure('blog'), { ca })
      expect(headers['strict-transport-security']).toBe('max-age=60; includeSubDomains')
      expect((await visit('blog')).headers).not.toHaveProperty('strict-transport-security')
      const said = await must('curl', [
        ...['-sS', '--http2', '-D', '-', '-o', '/dev/null', '--cacert', caFile(ca)],
        ...['--resolve', `blog.e2e.test:${https}:127.0.0.1`, secure('blog')],
      ])
      expect(said).toMatch(/^HTTP\/2 200/)
      expect(said).toMatch(/^strict-transport-security: max-age=60; includeSubDomains/m)
      await kernel('edge:set blog hsts off')
    })

    it('is gone with its certificate', async () => {
      await kernel('certs:generate echo')
      const { stdout: ca } = await kernel('certs:show echo')
      expect((await fetchPage(`${secure('echo')}x`, { ca })).body).toContain('/x')
      await kernel('certs:remove echo')
      await expect(fetchPage(secure('echo'), { ca })).rejects.toThrow()
      expect((await visit('echo')).status).toBe(200)
    })
  })

  describe('maintenance', () => {
    it('shows a page in place of the app', async () => {
      await kernel('maintenance:enable blog')
      const page = await visit('blog', '', { headers: { accept: 'text/html' } })
      expect([page.status, page.headers['retry-after']]).toEqual([503, expect.any(String)])
      expect(page.body).not.toContain('blog')
      expect((await visit('echo')).status).toBe(200)
      await kernel('maintenance:custom-page blog', '<h1>Back at noon</h1>')
      expect(await visit('blog', '', { headers: { accept: 'text/html' } })).toMatchObject({
        status: 503,
        body: '<h1>Back at noon</h1>',
      })
      expect((await kernel('maintenance:report blog')).stdout).toMatch(/Enabled: +true/)
      await kernel('maintenance:disable blog')
      expect(await visit('blog')).toMatchObject({ status: 200, body: 'blog' })
    })
  })

  describe('pages', () => {
    it('of an app and of all take the place of the edge’s', async () => {
      const html = { headers: { accept: 'text/html' } }
      await kernel('pages:set --global 404', '<h1>Nobody here</h1>')
      await kernel('pages:set --global 503', '<h1>All busy</h1>')
      expect(await visit('nobody', '', html)).toMatchObject({ status: 404, body: '<h1>Nobody here</h1>' })
      await kernel('ps:stop blog')
      expect(await visit('blog', '', html)).toMatchObject({ status: 503, body: '<h1>All busy</h1>' })
      await kernel('pages:set blog 503', '<h1>Blog is asleep</h1>')
      expect((await visit('blog', '', html)).body).toBe('<h1>Blog is asleep</h1>')
      await kernel('pages:clear blog 503')
      await kernel('pages:clear --global 503')
      expect((await visit('blog', '', html)).body).toContain('not running')
      await kernel('ps:start blog')
      expect((await kernel('pages:report --global')).stdout).toMatch(/404: +20B/)
      expect((await visit('blog')).body).toBe('blog')
    })
  })

  describe('redirects', () => {
    it('lead hosts and paths elsewhere, with the rest of the path', async () => {
      const { daemon } = lab
      await kernel('domains:add echo www.echo.e2e.test')
      await kernel('redirect:set echo www.echo.e2e.test http://echo.e2e.test')
      await kernel('redirect:set echo /old /new --code 302')
      const www = await visit('www.echo', 'a/b?c=d')
      expect([www.status, www.headers.location]).toEqual([301, 'http://echo.e2e.test/a/b?c=d'])
      const old = await visit('echo', 'old/page')
      expect([old.status, old.headers.location]).toEqual([302, '/new/page'])
      expect((await visit('echo', 'older')).status).toBe(200)
      const evil = await visit('echo', 'old//evil.example')
      expect(new URL(evil.headers.location!, 'http://echo.e2e.test').host).toBe('echo.e2e.test')
      expect((await kernel('redirect:report echo')).stdout).toMatch(/www\.echo\.e2e\.test +http:\/\/echo/)
      await daemon.kernel(['redirect:set', 'echo', '/x', '//evil.example'], { code: 2 })
      for (const from of ['www.echo.e2e.test', '/old']) await kernel(`redirect:unset echo ${from}`)
      expect((await visit('echo', 'old')).status).toBe(200)
    })
  })

  describe('limits', () => {
    it('of the rate are one for all listener threads, and each address has its own', async () => {
      await kernel('edge:set echo rate-limit 1/m burst 5')
      const answers = await Promise.all(Array.from({ length: 12 }, () => visit('echo')))
      const statuses = answers.map(({ status }) => status).sort()
      expect(statuses).toEqual([...Array(5).fill(200), ...Array(7).fill(429)])
      const wait = Number(answers.find(({ status }) => status === 429)?.headers['retry-after'])
      expect(wait).toBeGreaterThan(40)
      expect((await visit('blog')).status).toBe(200)
      await kernel('edge:set echo rate-limit')
      expect((await visit('echo')).status).toBe(200)
    })

    it('of the body hold with and without a length', async () => {
      await kernel('edge:set echo max-body 1k')
      expect(await visit('echo', '', { method: 'POST', body: 'x'.repeat(1024) })).toMatchObject({
        status: 200,
      })
      expect((await visit('echo', '', { method: 'POST', body: 'x'.repeat(1025) })).status).toBe(413)
      const chunked = await must('curl', [
        ...[
          '-sS',
          '-o',
          '/dev/null',
          '-w',
          '%{http_code}',
          '-H',
          'Transfer-Encoding: chunked',
          '-H',
          'Expect:',
        ],
        ...[
          '--data-binary',
          'x'.repeat(5000),
          '--resolve',
          `echo.e2e.test:${lab.daemon.ports.http}:127.0.0.1`,
        ],
        lab.daemon.url('echo'),
      ])
      expect(chunked).toBe('413')
      await kernel('edge:set echo max-body off')
    })
  })

  describe('compression', () => {
    const text = 'All work and no play makes Jack a dull boy.\n'.repeat(500)
    const decoders = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync }

    /** Bytes as they come, and their head. */
    const fetchRaw = async (path: string, encoding: string) => {
      const { daemon } = lab
      const file = join(dir, 'raw')
      const head = await must('curl', [
        ...['-sS', '-D', '-', '-o', file, '-H', `Accept-Encoding: ${encoding}`],
        ...['--resolve', `echo.e2e.test:${daemon.ports.http}:127.0.0.1`, daemon.url('echo') + path],
      ])
      return { head, body: readFileSync(file) }
    }

    it.each(['gzip', 'br', 'zstd'] as const)('by %s is for who takes it', async (coding) => {
      await kernel('edge:set echo compress on')
      const { head, body } = await fetchRaw('text', coding)
      expect(head).toMatch(new RegExp(`^content-encoding: ${coding}\\r$`, 'im'))
      expect(head).toMatch(/^vary: accept-encoding\r$/im)
      expect(head).toMatch(/^etag: W\/"one"\r$/im)
      expect(body.length).toBeLessThan(text.length / 20)
      expect(String(decoders[coding](body))).toBe(text)
    })

    it('leaves alone what is encoded, what are events, and who does not want it', async () => {
      const packed = await fetchRaw('packed', 'br')
      expect(packed.head).toMatch(/^content-encoding: gzip\r$/im)
      expect(String(gunzipSync(packed.body))).toBe(text)
      expect((await fetchRaw('feed', 'gzip')).head).not.toMatch(/^content-encoding/im)
      const plain = await fetchRaw('text', 'identity')
      expect([String(plain.body), plain.head.match(/^content-encoding/im)]).toEqual([text, null])
      await kernel('edge:set echo compress off')
      expect((await fetchRaw('text', 'gzip')).head).not.toMatch(/^content-encoding/im)
    })
  })

  describe('passwords', () => {
    it('are asked for, and never stand in a report', async () => {
      await lab.daemon.kernel(['http-auth:enable', 'blog'], { code: 4 })
      await kernel('http-auth:enable blog ann', 'correct horse\n')
      const nobody = await visit('blog')
      expect([nobody.status, nobody.headers['www-authenticate']]).toEqual([
        401,
        'Basic realm="blog", charset="UTF-8"',
      ])
      expect((await visit('blog', '', { headers: basic('ann:wrong') })).status).toBe(401)
      expect((await visit('blog', '', { headers: basic('bob:correct horse') })).status).toBe(401)
      expect(await visit('blog', '', { headers: basic('ann:correct horse') })).toMatchObject({ body: 'blog' })
      const report = await kernel('http-auth:report blog --format json')
      expect(JSON.parse(report.stdout)).toEqual({ app: 'blog', enabled: true, users: ['ann'] })
      const { stdout } = await kernel('edge:report blog --format json')
      expect(stdout).not.toMatch(/scrypt|horse/)
    })

    it('are asked for at every moment of a kill -9 and the next start', async () => {
      const { daemon } = lab
      const seen = new Set<string>()
      let over = false
      const knock = async () => {
        while (!over) {
          const answer = await visit('blog').catch(() => undefined)
          if (answer) seen.add(`${answer.status} ${answer.body === 'blog'}`)
        }
      }
      const knocking = Promise.all([knock(), knock(), knock()])
      await daemon.kill()
      await daemon.start()
      await eventually(async () =>
        expect((await visit('blog', '', { headers: basic('ann:correct horse') })).body).toBe('blog'),
      )
      over = true
      await knocking
      expect([...seen]).toEqual(['401 false'])
    })

    it('are asked for under a new name from the first moment', async () => {
      const { daemon } = lab
      const seen = new Set<number>()
      let over = false
      const knock = async () => {
        while (!over) for (const app of ['blog', 'journal']) seen.add((await visit(app)).status)
      }
      const knocking = Promise.all([knock(), knock()])
      await daemon.kernel(['apps:rename', 'blog', 'journal'])
      over = true
      await knocking
      expect([...seen].sort().filter((status) => status !== 404)).toEqual([401])
      expect(await visit('journal', '', { headers: basic('ann:correct horse') })).toMatchObject({
        body: 'blog',
      })
      await kernel('http-auth:disable journal')
      expect((await visit('journal')).status).toBe(200)
    })

    it('do not outlive the app', async () => {
      await kernel('http-auth:enable journal')
      await kernel('apps:destroy journal --force')
      await (await Repository.create(lab.daemon, 'journal', nodeApp('new'))).deploy()
      expect(await visit('journal')).toMatchObject({ status: 200, body: 'new' })
    })
  })

  function caFile(pem: string): string {
    const file = join(dir, 'ca.pem')
    writeFileSync(file, pem)
    return file
  }
})
