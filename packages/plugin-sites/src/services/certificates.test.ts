import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { postDomainsUpdate } from '@kernel/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { selfSigned } from '../certificates/self-signed.ts'
import { type Lab, openLab } from '../testing/lab.ts'

let lab: Lab
beforeEach(async () => {
  lab = await openLab()
})
afterEach(() => lab.close())

const keyDir = () => join(lab.dir, 'sites', 'keys')
const shown = () => lab.edge.certificates.map(({ hosts }) => hosts)

describe('a certificate', () => {
  it('is shown at once and again after a restart, its key in a file of the owner alone', async () => {
    const { certificate, key } = await selfSigned(['shop.example.com'])
    const report = await lab.certificates.set('shop', certificate, key)
    expect(report).toMatchObject({
      app: 'shop',
      source: 'upload',
      hosts: ['shop.example.com'],
      uncovered: [],
      expired: false,
      subject: 'CN=shop.example.com',
      issuer: 'CN=shop.example.com',
    })
    expect(Object.keys(report)).not.toContain('key')
    const [one] = lab.edge.certificates
    expect(one?.hosts).toEqual(['shop.example.com'])
    expect(new X509Certificate(one!.certificate).checkPrivateKey(createPrivateKey(one!.key))).toBe(true)
    const [file] = readdirSync(keyDir())
    expect(statSync(join(keyDir(), file!)).mode & 0o777).toBe(0o600)
    expect(statSync(keyDir()).mode & 0o777).toBe(0o700)
    expect(readFileSync(join(lab.dir, 'db', 'sites.db'), 'latin1')).not.toContain('PRIVATE KEY')
    await lab.restart()
    expect(shown()).toEqual([['shop.example.com']])
  })

  it('takes the place of another, whose key is gone', async () => {
    const first = await lab.certificates.generate('shop', [])
    const second = await lab.certificates.generate('shop', ['shop.example.com', '*.shop.example.com'])
    expect(second.fingerprint).not.toBe(first.fingerprint)
    expect(second.source).toBe('self-signed')
    expect(readdirSync(keyDir())).toHaveLength(1)
    await lab.certificates.remove('shop')
    expect(readdirSync(keyDir())).toEqual([])
    expect(lab.edge.certificates).toEqual([])
    await expect(lab.certificates.remove('shop')).rejects.toMatchObject({ kind: 'not-found' })
    await expect(lab.certificates.report('shop')).rejects.toMatchObject({ kind: 'not-found' })
  })

  it('that is wrong changes nothing', async () => {
    const before = await lab.certificates.generate('shop', [])
    const [one, other] = [await selfSigned(['a.example']), await selfSigned(['b.example'])]
    await expect(lab.certificates.set('shop', one.certificate, other.key)).rejects.toMatchObject({
      kind: 'invalid',
    })
    await expect(lab.certificates.set('shop', 'no pem', one.key)).rejects.toMatchObject({ kind: 'invalid' })
    lab.edge.failNext.set('setCertificates', new Error('the edge does not take it'))
    await expect(lab.certificates.set('shop', one.certificate, one.key)).rejects.toThrow('does not take it')
    expect((await lab.certificates.report('shop')).fingerprint).toBe(before.fingerprint)
    expect(shown()).toEqual([['shop.example.com']])
    await lab.restart()
    expect(shown()).toEqual([['shop.example.com']])
    expect(readdirSync(keyDir())).toHaveLength(1)
  })

  it('says which of the domains it is not for', async () => {
    const { certificate, key } = await selfSigned(['*.example.com'])
    const report = await lab.certificates.set('blog', certificate, key)
    expect(report.uncovered).toEqual(['www.blog.example.com'])
    expect((await lab.certificates.list()).map(({ app }) => app)).toEqual(['blog'])
  })

  it('of all apps covers those without one, and leads them to https', async () => {
    await lab.certificates.generate('global', ['*.example.com'])
    expect(shown()).toEqual([['*.example.com']])
    expect(lab.edge.policies.get('shop')).toEqual({ httpsRedirect: { port: 8443 } })
    expect(lab.edge.policies.get('blog')).toEqual({})
    await lab.restart()
    expect(lab.edge.policies.get('shop')).toEqual({ httpsRedirect: { port: 8443 } })
    await lab.certificates.generate('shop', [])
    expect(shown()).toEqual([['*.example.com'], ['shop.example.com']])
    await lab.certificates.remove('shop')
    await lab.certificates.remove('global')
    expect(lab.edge.policies.get('shop')).toEqual({})
    expect((await lab.certificates.generate('global', [])).hosts).toEqual(['*.apps.example.com'])
  })

  it('of an app is shown for its own domains, whoever else has a wildcard for them', async () => {
    await lab.certificates.generate('shop', ['*.example.com'])
    await lab.certificates.generate('blog', ['*.example.com', 'www.blog.example.com'])
    expect(
      Object.fromEntries(
        lab.edge.certificates.map(({ certificate, hosts }) => [
          new X509Certificate(certificate).subjectAltName,
          hosts.sort(),
        ]),
      ),
    ).toEqual({
      'DNS:*.example.com': ['*.example.com', 'shop.example.com'],
      'DNS:*.example.com, DNS:www.blog.example.com': ['blog.example.com', 'www.blog.example.com'],
    })
    lab.apps.set('shop', ['new.example.com'])
    await lab.kernel.call(postDomainsUpdate, { app: 'shop', domains: ['new.example.com'] })
    expect(shown().flat()).toContain('new.example.com')
  })

  it.each([
    ['is gone', (file: string) => rmSync(file)],
    ['is damaged', (file: string) => writeFileSync(file, 'x')],
  ])('whose key %s keeps no other from being shown', async (_, harm) => {
    await lab.certificates.generate('shop', [])
    const [file] = readdirSync(keyDir())
    await lab.certificates.generate('blog', [])
    harm(join(keyDir(), file!))
    await lab.restart()
    expect(shown()).toEqual([['blog.example.com', 'www.blog.example.com']])
    expect(lab.log.entries.some(({ level, message }) => level === 'error' && message.includes('shop'))).toBe(
      true,
    )
  })

  it.each([
    ['nobody', []],
    ['shop', ['no domain']],
    ['shop', ['https://x']],
  ])('is not made for %s %j', async (app, domains) => {
    await expect(lab.certificates.generate(app, domains)).rejects.toMatchObject({
      kind: app === 'nobody' ? 'not-found' : 'invalid',
    })
  })
})
