/** The whole plugin in a kernel of its own, over fakes of what is around it. @module */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Acme,
  type AcmeChallenge,
  type AppSummary,
  Apps,
  appExists,
  Certificates,
  Domains,
  type EdgeCertificate,
  Events,
  notFound,
  type Route,
  Router,
  type SitePolicy,
  Sites,
} from '@kernel/contracts'
import { createKernel, definePlugin, type Kernel, type Plugin } from '@kernel/kernel'
import { memoryLogger } from '@kernel/kernel/testing'
import type { Authority, IssueRequest } from '../acme/authority.ts'
import { selfSigned } from '../certificates/self-signed.ts'
import { sitesPlugin } from '../index.ts'

/** An edge that keeps what it is told. */
export class FakeEdge implements Router {
  policies = new Map<string, SitePolicy>()
  certificates: EdgeCertificate[] = []
  pages: Parameters<Router['setDefaultPages']>[0] = {}
  /** Each set it was given. */
  challenges: AcmeChallenge[][] = []
  /** Thrown by the next call of that name. */
  readonly failNext = new Map<'setPolicy' | 'setCertificates', Error>()
  address: Awaited<ReturnType<Router['listeners']>> = [
    { protocol: 'http', host: '0.0.0.0', port: 80 },
    { protocol: 'https', host: '0.0.0.0', port: 8443 },
  ]

  async setPolicy(app: string, policy: SitePolicy) {
    this.#mayFail('setPolicy')
    this.policies.set(app, structuredClone(policy))
  }
  async setCertificates(certificates: EdgeCertificate[]) {
    this.#mayFail('setCertificates')
    this.certificates = structuredClone(certificates)
  }
  async setDefaultPages(pages: FakeEdge['pages']) {
    this.pages = structuredClone(pages)
  }
  async setChallenges(challenges: AcmeChallenge[]) {
    this.challenges.push(structuredClone(challenges))
  }
  async listeners() {
    return this.address
  }
  async list(): Promise<Array<Route & { app: string }>> {
    return []
  }
  async publish() {
    return { generation: 1 }
  }
  async withdraw() {}
  async drain() {
    return { open: 0 }
  }
  async cut() {}
  async ready() {}

  /** The edge is part of the daemon: it forgets with it. */
  forgetAll(): void {
    this.policies.clear()
    this.certificates = []
    this.pages = {}
  }

  #mayFail(name: 'setPolicy' | 'setCertificates'): void {
    const error = this.failNext.get(name)
    this.failNext.delete(name)
    if (error) throw error
  }
}

/** An ACME server that gives what is asked for, or fails. */
export class FakeAuthority implements Authority {
  readonly requests: IssueRequest[] = []
  readonly revoked: string[] = []
  /** Thrown by every request while it is set. */
  fails: Error | undefined
  lifetimeDays = 90
  #keys = 0

  async newAccountKey() {
    this.#keys++
    return `account key ${this.#keys}`
  }
  async issue(request: IssueRequest) {
    this.requests.push(request)
    const challenge: AcmeChallenge = {
      type: 'http-01',
      host: request.hosts[0]!,
      token: 'token',
      keyAuthorization: 'token.thumb',
    }
    await request.present(challenge)
    await request.withdraw(challenge)
    if (this.fails) throw this.fails
    return selfSigned(request.hosts, this.lifetimeDays)
  }
  async revoke({ certificate }: { certificate: string }) {
    this.revoked.push(certificate)
  }
}

export interface Lab {
  readonly dir: string
  readonly edge: FakeEdge
  readonly authority: FakeAuthority
  /** App -> its domains. */
  readonly apps: Map<string, string[]>
  readonly log: ReturnType<typeof memoryLogger>
  readonly kernel: Kernel
  readonly sites: Sites
  readonly certificates: Certificates
  readonly acme: Acme
  /** Ends the daemon and starts another over the same data. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** @param more plugins beside */
export async function openLab(config: object = {}, more: Plugin[] = []): Promise<Lab> {
  const dir = await mkdtemp(join(tmpdir(), 'plugin-sites-'))
  const edge = new FakeEdge()
  const authority = new FakeAuthority()
  const apps = new Map([
    ['shop', ['shop.example.com']],
    ['blog', ['blog.example.com', 'www.blog.example.com']],
  ])
  const log = memoryLogger()
  const around = definePlugin({
    name: 'around',
    version: '1.0.0',
    kernel: '^1',
    provides: [Router, Apps, Domains, Events],
    setup(ctx) {
      ctx.provide(Router, edge)
      ctx.provide(Apps, {
        list: async () => [...apps.keys()].map((name) => ({ name }) as AppSummary),
      } as Apps)
      ctx.provide(Domains, {
        async list(app: string) {
          const domains = apps.get(app)
          if (domains === undefined) throw notFound(`There is no app ${app}`)
          return { domains, urls: [] }
        },
        global: async () => ['apps.example.com'],
      } as Partial<Domains> as Domains)
      ctx.provide(Events, { publish() {} } as Partial<Events> as Events)
      ctx.on(appExists, ({ app }) => apps.has(app) || undefined)
    },
  })

  async function start(): Promise<Kernel> {
    const kernel = createKernel({
      log,
      plugins: [
        { plugin: around, firstParty: true },
        ...more.map((plugin) => ({ plugin })),
        { plugin: sitesPlugin(authority), firstParty: true, config: { dataDir: dir, ...config } },
      ],
    })
    await kernel.start()
    return kernel
  }
  let kernel = await start()

  return {
    dir,
    edge,
    authority,
    apps,
    log,
    get kernel() {
      return kernel
    },
    get sites() {
      return kernel.use(Sites)
    },
    get certificates() {
      return kernel.use(Certificates)
    },
    get acme() {
      return kernel.use(Acme)
    },
    async restart() {
      await kernel.stop()
      edge.forgetAll()
      kernel = await start()
    },
    async close() {
      await kernel.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
