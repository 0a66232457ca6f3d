import type { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacks } from './harness/host.ts'
import { type CertificateFiles, makeCertificate } from './harness/openssl.ts'
import { Pebble } from './harness/pebble.ts'
import { freePorts } from './harness/ports.ts'
import { Repository } from './harness/repository.ts'
import { nodeApp } from './harness/sources.ts'
import { eventually } from './harness/until.ts'
import { useDaemon } from './harness/use-daemon.ts'
import { fetchPage, visitDuring } from './harness/visitor.ts'

const absent = lacks('ACME', 'pebble', 'pebble-challtestsrv', 'openssl')
const dir = mkdtempSync(join(tmpdir(), 'kernel-acme-'))
const [https = 0, nobody = 0] = await freePorts(2)
const own: CertificateFiles | undefined = absent
  ? undefined
  : await makeCertificate(dir, 'pebble', ['DNS:localhost', 'IP:127.0.0.1'])
/** Seconds: so short that a renewal comes by itself within the test, and long enough to be seen. */
const validSec = 30

interface AcmeRow {
  app: string
  enabled: boolean
  hosts: string[]
  failures: number
  error?: string
  nextAttempt?: string
}

describe.skipIf(absent)('certificates by ACME', () => {
  const lab = useDaemon({
    args: ['--driver', 'process', '--https', `127.0.0.1:${https}`],
    config: { config: { sites: { renewCheckSec: 1, renewRetrySec: 2 } } },
    env: { NODE_EXTRA_CA_CERTS: own?.certFile ?? '' },
  })
  let pebble: Pebble
  let ca: string
  const secure = (app: string) => `https://${app}.e2e.test:${https}/`

  beforeAll(async () => {
    const { daemon } = lab
    pebble = await Pebble.open({
      dir,
      certificate: own!,
      ports: { http: daemon.ports.http, https },
      validSec,
    })
    ca = await pebble.root()
    const repository = await Repository.create(daemon, 'shop', nodeApp('shop'))
    await repository.deploy()
    await daemon.kernel(['letsencrypt:set', '--global', 'server', pebble.directory])
    await daemon.kernel(['letsencrypt:set', '--global', 'email', 'ann@example.com'])
  })
  afterAll(async () => {
    await pebble?.close()
    rmSync(dir, { recursive: true, force: true })
  })

  /** What a new visitor is shown. */
  const shown = (app: string, trusted = true) =>
    new Promise<X509Certificate>((resolve, reject) => {
      const socket = connect(
        { port: https, host: '127.0.0.1', servername: `${app}.e2e.test`, ca, rejectUnauthorized: trusted },
        () => {
          const certificate = socket.getPeerX509Certificate()
          socket.destroy()
          if (certificate) resolve(certificate)
          else reject(new Error('no certificate'))
        },
      )
      socket.once('error', reject)
    })
  const row = async (app: string) =>
    (await lab.daemon.json<AcmeRow[]>(['letsencrypt:list'])).find((one) => one.app === app)

  it('are got by HTTP-01, whatever stands at the door, and lead visitors to https', async () => {
    const { daemon } = lab
    // An app that is under maintenance, asks for passwords and redirects everything gets its certificate as well.
    await daemon.kernel(['maintenance:enable', 'shop'])
    await daemon.kernel(['http-auth:add-user', 'shop', 'ann'], { input: 'secret' })
    await daemon.kernel(['http-auth:enable', 'shop'])
    await daemon.kernel(['redirect:set', 'shop', '/', 'https://elsewhere.example'])
    const { stdout } = await daemon.kernel(['letsencrypt:enable', 'shop'])
    expect(stdout).toMatch(/=====> shop has a certificate until/)
    await daemon.kernel(['redirect:unset', 'shop', '/'])
    await daemon.kernel(['http-auth:disable', 'shop'])
    await daemon.kernel(['maintenance:disable', 'shop'])
    expect(await fetchPage(secure('shop'), { ca })).toMatchObject({ status: 200, body: 'shop' })
    const plain = await fetchPage(`${daemon.url('shop')}a?b=1`)
    expect([plain.status, plain.headers.location]).toEqual([301, `${secure('shop')}a?b=1`])
    expect(await row('shop')).toMatchObject({ enabled: true, hosts: ['shop.e2e.test'], failures: 0 })
    const [app] = await daemon.json<Array<{ urls: string[] }>>(['apps:list'])
    expect(app?.urls).toEqual([secure('shop').slice(0, -1)])
  })

  it('are renewed by themselves, and no visitor notices', async () => {
    const before = await shown('shop')
    const { seen } = await visitDuring(
      secure('shop'),
      () =>
        eventually(async () => expect((await shown('shop')).serialNumber).not.toBe(before.serialNumber), {
          within: 50_000,
        }),
      { ca },
    )
    for (const visitor of seen)
      expect(visitor).toEqual({ requests: expect.any(Number), answers: ['200 shop'], failures: [] })
    expect(Date.parse(before.validTo)).toBeLessThan(Date.parse((await shown('shop')).validTo))
  })

  it('are got by TLS-ALPN-01', async () => {
    const { daemon } = lab
    const repository = await Repository.create(daemon, 'alpn', nodeApp('alpn'))
    await repository.deploy()
    await daemon.kernel(['letsencrypt:set', 'alpn', 'challenge', 'tls-alpn-01'])
    await daemon.kernel(['letsencrypt:enable', 'alpn'])
    expect(await fetchPage(secure('alpn'), { ca })).toMatchObject({ status: 200, body: 'alpn' })
    expect((await shown('alpn')).subjectAltName).toBe('DNS:alpn.e2e.test')
    expect((await shown('shop')).subjectAltName).toBe('DNS:shop.e2e.test')
  })

  it('follow the domains of the app', async () => {
    const { daemon } = lab
    await daemon.kernel(['domains:add', 'alpn', 'www.alpn.e2e.test'])
    await eventually(async () =>
      expect((await row('alpn'))?.hosts.sort()).toEqual(['alpn.e2e.test', 'www.alpn.e2e.test']),
    )
    expect(await fetchPage(secure('www.alpn'), { ca })).toMatchObject({ body: 'alpn' })
  })

  it('stay after kill -9, and are not got again', async () => {
    const { daemon } = lab
    await daemon.kernel(['letsencrypt:disable', 'alpn'])
    const before = await shown('alpn')
    await daemon.kill()
    await daemon.start()
    await eventually(async () => expect((await fetchPage(secure('alpn'), { ca })).body).toBe('alpn'))
    expect((await shown('alpn')).serialNumber).toBe(before.serialNumber)
  })

  it('that fail are told with the reason, keep what is there, and are tried again', async () => {
    const { daemon } = lab
    const repository = await Repository.create(daemon, 'lost', nodeApp('lost'))
    await repository.deploy()
    // A server that is not there any more.
    await daemon.kernel(['letsencrypt:set', 'lost', 'server', `https://localhost:${nobody}/dir`])
    const { stderr } = await daemon.kernel(['letsencrypt:enable', 'lost'], { code: 1 })
    expect(stderr).toMatch(/^ ! {5}No certificate for lost\.e2e\.test: .*ECONNREFUSED/m)
    expect(await row('lost')).toMatchObject({ enabled: false })
    await pebble.close()
    await eventually(
      async () => {
        const failed = await row('shop')
        expect(failed?.failures).toBeGreaterThan(1)
        expect(failed?.error).toContain('ECONNREFUSED')
        expect(Date.parse(failed!.nextAttempt!)).toBeGreaterThan(Date.now() - 60_000)
      },
      { within: 50_000 },
    )
    // It may have ended by now: what is shown is still the best there is.
    expect((await shown('shop', false)).subjectAltName).toBe('DNS:shop.e2e.test')
  }, 90_000)
})
