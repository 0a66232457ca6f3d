import { type CertificateReport, type Certificates, conflict, invalid, notFound } from '@kernel/contracts'
import { KeyedMutex } from '@kernel/state'
import { checkPair, covers, factsOf } from '../certificates/read-certificate.ts'
import { selfSigned } from '../certificates/self-signed.ts'
import { allApps, announce, checkApp, everyApp, type Platform } from '../platform.ts'
import type { Publisher } from '../publisher.ts'
import type { CertificateRecord } from '../store/records.ts'

/** What the ACME part uses of it beside the contract. */
export interface CertificateBook extends Certificates {
  /** Checks, keeps and shows a certificate, whatever the app had. @throws invalid */
  install(
    app: string,
    source: CertificateRecord['source'],
    certificate: string,
    key: string,
  ): Promise<CertificateReport>
  /** Removes it where it is there. */
  drop(app: string): Promise<boolean>
  /** Removes keys that no certificate has. */
  tidy(): Promise<void>
}

export function createCertificates(platform: Platform, publisher: Publisher): CertificateBook {
  const { store, keys } = platform
  // One at a time: the edge takes all certificates in one step.
  const turns = new KeyedMutex()
  const inTurn = <T>(work: () => Promise<T>) => turns.run('', work)

  async function reportOf({ app, source, certificate }: CertificateRecord): Promise<CertificateReport> {
    const facts = factsOf(certificate)
    const domains = app === everyApp ? [] : await publisher.domains(app)
    return {
      app,
      source,
      ...facts,
      uncovered: domains.filter((domain) => !covers(facts.hosts, domain)),
      expired: Date.parse(facts.notAfter) <= Date.now(),
    }
  }

  const put = (app: string, record: CertificateRecord | undefined) =>
    record ? store.putCertificate(record) : store.deleteCertificate(app)

  /** Certificates come before the redirects that lead to them, and go after. */
  async function replace(app: string, next: CertificateRecord | undefined): Promise<void> {
    const before = store.findCertificate(app)
    put(app, next)
    try {
      await publisher.certificates()
    } catch (error) {
      put(app, before)
      await publisher.certificates().catch(() => {})
      throw error
    }
    await publisher.policies(app === everyApp ? await allApps(platform) : [app])
    await tidy()
    announce(platform, app, next ? 'certificate' : 'certificate-removed')
  }

  const tidy = () => keys.keepOnly(store.certificates().map(({ keyFile }) => keyFile))

  async function checkOwner(app: string): Promise<void> {
    if (app !== everyApp) await checkApp(platform, app)
  }

  function checkNotRenewed(app: string): void {
    if (store.acme(app).enabled)
      throw conflict(`The certificate of ${app} is renewed by ACME, which would replace another one`, {
        hint: `Stop that first: letsencrypt:disable ${app}`,
      })
  }

  async function install(
    app: string,
    source: CertificateRecord['source'],
    certificate: string,
    key: string,
  ): Promise<CertificateReport> {
    const pair = checkPair(certificate, key)
    return inTurn(async () => {
      const keyFile = await keys.add(pair.key)
      const record: CertificateRecord = { app, source, certificate: pair.certificate, keyFile }
      await replace(app, record)
      return reportOf(record)
    })
  }

  async function drop(app: string): Promise<boolean> {
    return inTurn(async () => {
      if (store.findCertificate(app) === undefined) return false
      await replace(app, undefined)
      return true
    })
  }

  return {
    install,
    drop,
    tidy: () => inTurn(tidy),
    list: () => Promise.all(store.certificates().map(reportOf)),
    async report(app) {
      await checkOwner(app)
      const record = store.findCertificate(app)
      if (record === undefined)
        throw notFound(`${app} has no certificate`, {
          hint: `certs:add ${app} CERT KEY, certs:generate ${app}, or letsencrypt:enable ${app}`,
        })
      return reportOf(record)
    },
    async set(app, certificate, key) {
      await checkOwner(app)
      checkNotRenewed(app)
      return install(app, 'upload', certificate, key)
    },
    async remove(app) {
      await checkOwner(app)
      checkNotRenewed(app)
      if (!(await drop(app))) throw notFound(`${app} has no certificate`)
    },
    async generate(app, given) {
      await checkOwner(app)
      checkNotRenewed(app)
      const wanted = given.length > 0 ? given : await ownNames(app)
      const hosts = [...new Set(wanted.map((host) => host.trim().toLowerCase()))]
      const wrong = hosts.find((host) => !/^(\*\.)?[a-z0-9_]([a-z0-9_.-]{0,250}[a-z0-9_])?$/.test(host))
      if (wrong !== undefined)
        throw invalid(`${JSON.stringify(wrong)} is no domain`, {
          hint: 'Such as app.example.com or *.example.com; what is not ASCII in punycode.',
        })
      if (hosts.length === 0)
        throw invalid(`${app} has no domain`, { hint: `Name one: certs:generate ${app} DOMAIN` })
      const { certificate, key } = await selfSigned(hosts)
      return install(app, 'self-signed', certificate, key)
    },
  }

  async function ownNames(app: string): Promise<string[]> {
    if (app !== everyApp) return publisher.domains(app)
    return (await platform.domains.global()).map((domain) => `*.${domain}`)
  }
}
