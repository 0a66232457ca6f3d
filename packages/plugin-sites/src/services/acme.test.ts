import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type DeployLine, postDomainsUpdate } from '@kernel/contracts'
import { eventually } from '@kernel/contracts/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { selfSigned } from '../certificates/self-signed.ts'
import { type Lab, openLab } from '../testing/lab.ts'

let lab: Lab
beforeEach(async () => {
  lab = await openLab()
})
afterEach(() => lab.close())

const only = async () => {
  const [report, ...more] = await lab.acme.list()
  expect(more).toEqual([])
  return report!
}
const fingerprint = async () => (await lab.certificates.report('shop')).fingerprint

describe('a certificate by ACME', () => {
  it('is got, shown, and kept over a restart', async () => {
    const lines: DeployLine[] = []
    await lab.acme.set('global', 'email', 'ann@example.com')
    const report = await lab.acme.enable('shop', (line) => lines.push(line))
    expect(report).toMatchObject({
      app: 'shop',
      enabled: true,
      email: 'ann@example.com',
      server: 'production',
      challenge: 'http-01',
      hosts: ['shop.example.com'],
      failures: 0,
    })
    const third = (Date.parse(report.notAfter!) - Date.parse(report.renewAfter!)) / 86_400_000
    expect(third).toBeCloseTo(30)
    expect(lines.map(({ text }) => text).join('\n')).toContain('acme-v02.api.letsencrypt.org')
    expect(lab.authority.requests).toMatchObject([
      {
        directory: 'https://acme-v02.api.letsencrypt.org/directory',
        accountKey: 'account key 1',
        email: 'ann@example.com',
        hosts: ['shop.example.com'],
      },
    ])
    expect(lab.edge.challenges).toEqual([[expect.objectContaining({ host: 'shop.example.com' })], []])
    expect(lab.edge.certificates.map(({ hosts }) => hosts)).toEqual([['shop.example.com']])
    expect(lab.edge.policies.get('shop')).toEqual({ httpsRedirect: { port: 8443 } })
    await lab.restart()
    expect(lab.edge.certificates).toHaveLength(1)
    expect(await only()).toEqual(report)
  })

  it('is of one account a server, whose key stays', async () => {
    await lab.acme.enable('shop')
    await lab.restart()
    await lab.acme.enable('blog')
    await lab.acme.set('blog', 'server', 'staging')
    await lab.acme.enable('blog')
    expect(lab.authority.requests.map(({ accountKey }) => accountKey)).toEqual([
      'account key 1',
      'account key 1',
      'account key 2',
    ])
    expect(readdirSync(join(lab.dir, 'sites', 'accounts'))).toHaveLength(2)
  })

  it('leaves out names that no server can look for', async () => {
    lab.apps.set('shop', ['shop.example.com', '*.shop.example.com', 'shop.localhost', 'localhost'])
    await lab.acme.enable('shop')
    expect(lab.authority.requests[0]?.hosts).toEqual(['shop.example.com'])
    lab.apps.set('blog', ['blog.localhost'])
    await expect(lab.acme.enable('blog')).rejects.toMatchObject({ kind: 'invalid', hint: /domains:add/ })
  })

  it('that is not given leaves all as it was, with the reason', async () => {
    const before = await lab.certificates.generate('shop', [])
    lab.authority.fails = new Error('DNS problem: NXDOMAIN')
    await expect(lab.acme.enable('shop')).rejects.toMatchObject({
      kind: 'failed',
      message: expect.stringContaining('NXDOMAIN'),
      hint: expect.stringContaining('port 80'),
    })
    expect(await fingerprint()).toBe(before.fingerprint)
    expect(lab.edge.challenges.at(-1)).toEqual([])
    expect((await lab.acme.list()).filter(({ enabled }) => enabled)).toEqual([])
  })

  it('is not asked for where nobody could use it', async () => {
    lab.edge.address = [{ protocol: 'http', host: '0.0.0.0', port: 80 }]
    await expect(lab.acme.enable('shop')).rejects.toMatchObject({ kind: 'unavailable', hint: /--https/ })
    lab.edge.address = [{ protocol: 'https', host: '0.0.0.0', port: 443 }]
    await expect(lab.acme.enable('shop')).rejects.toMatchObject({ hint: /tls-alpn-01/ })
    await lab.acme.set('global', 'challenge', 'tls-alpn-01')
    await lab.acme.enable('shop')
    expect(lab.authority.requests[0]?.challenge).toBe('tls-alpn-01')
  })

  it('can not be replaced by hand while it is renewed', async () => {
    await lab.acme.enable('shop')
    const { certificate, key } = await selfSigned(['shop.example.com'])
    await expect(lab.certificates.set('shop', certificate, key)).rejects.toMatchObject({ kind: 'conflict' })
    await expect(lab.certificates.remove('shop')).rejects.toMatchObject({ kind: 'conflict' })
    await lab.acme.disable('shop')
    await lab.certificates.set('shop', certificate, key)
    await expect(lab.acme.disable('shop')).rejects.toMatchObject({ kind: 'conflict' })
  })

  it('is revoked by the account that got it', async () => {
    await expect(lab.acme.revoke('shop')).rejects.toMatchObject({ kind: 'not-found' })
    await lab.acme.enable('shop')
    const { certificate } = await lab.certificates.report('shop')
    await lab.acme.set('shop', 'server', 'staging')
    await lab.acme.revoke('shop')
    expect(lab.authority.revoked).toEqual([certificate])
    expect(lab.edge.certificates).toEqual([])
    expect((await only()).enabled).toBe(false)
  })
})

describe('a renewal', () => {
  // The certificates of the fake begin an hour ago: with 1.2 hours of life, more than two thirds are over.
  const nearlyOver = 0.05

  it('comes by itself where a third is left, once, also after a restart', async () => {
    lab.authority.lifetimeDays = nearlyOver
    await lab.acme.enable('shop')
    lab.authority.lifetimeDays = 90
    await lab.restart()
    const daysLeft = async () => (Date.parse((await only()).notAfter!) - Date.now()) / 86_400_000
    await eventually('the renewal', async () => (await daysLeft()) > 80)
    expect(lab.edge.certificates).toHaveLength(1)
    const asked = lab.authority.requests.length
    expect(await lab.acme.renew()).toMatchObject([{ app: 'shop', failures: 0 }])
    await lab.restart()
    await lab.acme.renew()
    expect(lab.authority.requests).toHaveLength(asked)
  })

  it('is not done before its time, and says so', async () => {
    await lab.acme.enable('shop')
    const lines: string[] = []
    await lab.acme.renew('shop', ({ text }) => lines.push(text))
    expect(lines).toEqual(['shop: not due'])
    expect(lab.authority.requests).toHaveLength(1)
    await expect(lab.acme.renew('blog')).rejects.toMatchObject({ kind: 'conflict' })
  })

  it('that fails keeps the certificate, is told, waits longer each time, and is forgotten when it works', async () => {
    lab.authority.lifetimeDays = nearlyOver
    await lab.acme.enable('shop')
    await lab.acme.enable('blog')
    const before = await fingerprint()
    lab.authority.fails = new Error('rate limited')
    const failure = await lab.acme.renew().catch((error) => error)
    expect(failure).toMatchObject({ kind: 'failed', message: 'Not renewed: blog, shop' })
    const [, first] = await lab.acme.list()
    expect(first).toMatchObject({ app: 'shop', failures: 1, error: expect.stringContaining('rate limited') })
    await lab.acme.renew('shop').catch(() => {})
    const [, second] = await lab.acme.list()
    const waits = (report: typeof first) => Date.parse(report!.nextAttempt!) - Date.now()
    expect(second?.failures).toBe(2)
    expect(waits(second) / 3_600_000).toBeCloseTo(2, 1)
    expect(await fingerprint()).toBe(before)
    // Nobody is asked before the time.
    const asked = lab.authority.requests.length
    await lab.restart()
    await lab.kernel.call(postDomainsUpdate, { app: 'none', domains: [] })
    expect(lab.authority.requests.length).toBe(asked)
    lab.authority.fails = undefined
    lab.authority.lifetimeDays = 90
    await lab.acme.renew()
    for (const report of await lab.acme.list()) {
      expect(report.failures).toBe(0)
      expect(report).not.toHaveProperty('error')
      expect(report).not.toHaveProperty('nextAttempt')
    }
  })

  it('comes soon where the app has got a domain', async () => {
    await lab.acme.enable('shop')
    lab.apps.set('shop', ['shop.example.com', 'www.example.com'])
    await lab.kernel.call(postDomainsUpdate, { app: 'shop', domains: [] })
    await eventually('a certificate for both', async () => (await only()).hosts.length === 2)
    expect(lab.edge.policies.get('shop')).toEqual({ httpsRedirect: { port: 8443 } })
  })
})

it.each([
  ['email', 'nobody'],
  ['server', 'http://insecure.example'],
  ['server', 'test'],
  ['challenge', 'dns-01'],
  ['speed', 'high'],
])('%s can not be %s', async (key, value) => {
  await expect(lab.acme.set('shop', key, value)).rejects.toMatchObject({ kind: 'invalid' })
})

it('an own setting goes before the global one, and is cleared by nothing', async () => {
  await lab.acme.set('global', 'server', 'staging')
  await lab.acme.set('shop', 'server', 'https://ca.example/directory')
  expect((await only()).server).toBe('https://ca.example/directory')
  await lab.acme.set('shop', 'server', '')
  expect((await only()).server).toBe('staging')
  await expect(lab.acme.set('none', 'server', '')).rejects.toMatchObject({ kind: 'not-found' })
})
