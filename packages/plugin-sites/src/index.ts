/**
 * What stands at an app's front door: certificates and ACME, maintenance, pages, redirects, passwords and limits.
 * Keeps what owners set, and tells the edge of it before the first visitor is let in: its setup is over before any
 * plugin is told that all have started, and only then are the routes published.
 * @module
 */
import { join } from 'node:path'
import {
  Acme,
  Apps,
  Certificates,
  Domains,
  domainScheme,
  Events,
  Metrics,
  postAppRename,
  postCreate,
  postDelete,
  postDomainsUpdate,
  preAppRename,
  Router,
  Sites,
} from '@kernel/contracts'
import { definePlugin, type Plugin } from '@kernel/kernel'
import { ensureDir } from '@kernel/state'
import { type Authority, acmeAuthority } from './acme/authority.ts'
import { Clockwork } from './acme/clockwork.ts'
import { Issuer } from './acme/issuer.ts'
import { settingsSchema } from './config.ts'
import { certificateMetrics } from './metrics.ts'
import { allApps, appIsThere, everyApp, type Platform } from './platform.ts'
import { Publisher } from './publisher.ts'
import { createAcme } from './services/acme.ts'
import { createCertificates } from './services/certificates.ts'
import { createSites } from './services/sites.ts'
import { KeyFiles } from './store/key-files.ts'
import { openStore } from './store/store.ts'

export default sitesPlugin(acmeAuthority)

/** @param authority how certificates are got; tests have one of their own */
export function sitesPlugin(authority: Authority): Plugin {
  return definePlugin({
    name: 'sites',
    version: '0.1.0',
    kernel: '^1',
    requires: [Router, Apps, Domains, Events],
    optional: [Metrics],
    provides: [Sites, Certificates, Acme],
    config: settingsSchema,
    async setup(ctx) {
      const { dataDir, renewCheckSec } = ctx.config
      const dbDir = join(dataDir, 'db')
      await ensureDir(dbDir)
      await ensureDir(join(dataDir, 'sites'))
      const store = openStore(dbDir)
      ctx.defer(() => store.close())
      const platform: Platform = {
        router: ctx.use(Router),
        apps: ctx.use(Apps),
        domains: ctx.use(Domains),
        events: ctx.use(Events),
        call: ctx.call,
        log: ctx.log,
        store,
        keys: await KeyFiles.open(join(dataDir, 'sites', 'keys')),
        accountKeys: await KeyFiles.open(join(dataDir, 'sites', 'accounts')),
        settings: ctx.config,
        signal: ctx.signal,
      }
      const publisher = new Publisher(platform)
      const certificates = createCertificates(platform, publisher)
      const issuer = new Issuer(platform, publisher, certificates, authority)
      const acme = createAcme(platform, certificates, issuer)
      const clockwork = new Clockwork(acme, renewCheckSec)

      ctx.provide(Sites, createSites(platform, publisher))
      ctx.provide(Certificates, certificates)
      ctx.provide(Acme, acme)

      ctx.on(domainScheme, async ({ domain }) =>
        publisher.covers(domain) && (await publisher.httpsPort()) !== undefined ? 'https' : undefined,
      )
      ctx.on(postDomainsUpdate, async ({ app }) => {
        if (store.findCertificate(app)) await publisher.certificates()
        await publisher.policy(app)
        if (store.acme(app).enabled) clockwork.poke()
      })
      // What is left of an app of that name, whose end or renaming was cut off, is not the new one's.
      ctx.on(postCreate, async ({ app }) => {
        if (store.removeApp(app)) await publisher.certificates()
        await publisher.policy(app)
      })
      ctx.on(preAppRename, async ({ oldApp, app }) => {
        store.copyApp(oldApp, app)
        await publisher.policy(app, oldApp)
      })
      ctx.on(postAppRename, async ({ oldApp, app }) => {
        await forget(oldApp)
        await publisher.policy(app)
        // Its domains may have changed with its name.
        if (store.acme(app).enabled) clockwork.poke()
      })
      ctx.on(postDelete, ({ app }) => forget(app))

      async function forget(app: string): Promise<void> {
        if (!store.removeApp(app)) return
        await publisher.certificates()
        await platform.router.setPolicy(app, {})
        await certificates.tidy()
      }

      for (const app of store.apps())
        if (app !== everyApp && !(await appIsThere(platform, app))) store.removeApp(app)
      await certificates.tidy()
      await platform.accountKeys.keepOnly(store.accounts().map(({ keyFile }) => keyFile))
      await publisher.certificates()
      await publisher.defaultPages()
      const apps = store.findCertificate(everyApp) ? await allApps(platform) : store.apps()
      await publisher.policies(apps)

      const unlisted = ctx
        .use(Metrics)
        ?.add(async () => certificateMetrics(await certificates.list(), await acme.list()))
      if (unlisted) ctx.defer(unlisted)
      ctx.ready(() => clockwork.start())
      ctx.defer(() => clockwork.stop())
    },
  })
}
