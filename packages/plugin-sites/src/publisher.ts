/** The one place that tells the edge of policies and certificates, from the records alone. @module */
import { createSecureContext } from 'node:tls'
import { type EdgeCertificate, type SitePolicy, sitePolicy } from '@kernel/contracts'
import { KeyedMutex } from '@kernel/state'
import { assignHosts } from './certificates/assign-hosts.ts'
import { covers, factsOf } from './certificates/read-certificate.ts'
import { everyApp, type Platform } from './platform.ts'
import { policyOf, type SiteFacts } from './policy/policy-of.ts'

export class Publisher {
  readonly #platform: Platform
  readonly #turns = new KeyedMutex()
  /** Key files of certificates that TLS takes. */
  readonly #usable = new Set<string>()
  /** What the edge has certificates for. */
  #hosts: string[] = []

  constructor(platform: Platform) {
    this.#platform = platform
  }

  /** None where there is no such app. */
  async domains(app: string): Promise<string[]> {
    const found = await this.#platform.domains.list(app).catch(() => undefined)
    return found?.domains ?? []
  }

  /** Where visitors find https; undefined where the edge does not listen for it. */
  async httpsPort(): Promise<number | undefined> {
    const listener = (await this.#platform.router.listeners()).find(({ protocol }) => protocol === 'https')
    return listener && (this.#platform.settings.httpsPort ?? listener.port)
  }

  /** Whether the edge has a certificate for it. */
  covers(domain: string): boolean {
    return covers(this.#hosts, domain)
  }

  /** @param named the app whose domains count: the old name of one that is about to be renamed */
  async facts(app: string, named = app): Promise<SiteFacts> {
    const domains = await this.domains(named)
    return {
      httpsPort: await this.httpsPort(),
      covered: domains.length > 0 && domains.every((domain) => this.covers(domain)),
    }
  }

  /** Brings the edge in line with the records of an app: the newest, whoever asks first. */
  async policy(app: string, named = app): Promise<void> {
    await this.#turns.run(`app ${app}`, async () => {
      const policy: SitePolicy = policyOf(this.#platform.store.site(app), await this.facts(app, named))
      await this.#platform.router.setPolicy(app, await this.#platform.call(sitePolicy, policy, { app }))
    })
  }

  /** Those of several apps; the first failure is thrown after all were tried. */
  async policies(apps: Iterable<string>): Promise<void> {
    const outcomes = await Promise.allSettled([...apps].map((app) => this.policy(app)))
    const failure = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failure) throw failure.reason
  }

  async defaultPages(): Promise<void> {
    await this.#turns.run('pages', () =>
      this.#platform.router.setDefaultPages(this.#platform.store.global().pages),
    )
  }

  async certificates(): Promise<void> {
    await this.#turns.run('certificates', async () => {
      const certificates = await this.#edgeCertificates()
      await this.#platform.router.setCertificates(certificates)
      this.#hosts = certificates.flatMap(({ hosts }) => hosts)
    })
  }

  async #usableKey(certificate: string, keyFile: string): Promise<string> {
    const key = await this.#platform.keys.read(keyFile)
    if (!this.#usable.has(keyFile)) createSecureContext({ cert: certificate, key })
    this.#usable.add(keyFile)
    return key
  }

  async #edgeCertificates(): Promise<EdgeCertificate[]> {
    const { store, log } = this.#platform
    const bearers: Array<EdgeCertificate & { app: string }> = []
    const domains = new Map<string, string[]>()
    for (const { app, certificate, keyFile } of store.certificates()) {
      const key = await this.#usableKey(certificate, keyFile).catch((error) => {
        // The others go on being served: a key may be lost, and what TLS takes grows narrower over the years.
        log.error(`The certificate of ${app} can not be used`, { app, error })
        return undefined
      })
      if (key === undefined) continue
      bearers.push({ app, certificate, key, hosts: factsOf(certificate).hosts })
      domains.set(app, app === everyApp ? [] : await this.domains(app))
    }
    const assigned = [...assignHosts(bearers, (app) => domains.get(app) ?? [])]
    return bearers
      .map(({ certificate, key }, at) => ({
        certificate,
        key,
        hosts: assigned.filter(([, owner]) => owner === at).map(([host]) => host),
      }))
      .filter(({ hosts }) => hosts.length > 0)
  }
}
