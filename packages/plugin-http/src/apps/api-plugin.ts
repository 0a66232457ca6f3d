import {
  Acme,
  AppConfig,
  AppLogs,
  Apps,
  BaseImage,
  Builders,
  Certificates,
  Checks,
  Deploys,
  Domains,
  diskLedger,
  Events,
  HttpServer,
  Ledger,
  Metrics,
  Processes,
  Releases,
  Router,
  Scheduler,
  Sites,
  SshKeys,
  Tokens,
} from '@kernel/contracts'
import { definePlugin, type PluginReport } from '@kernel/kernel'
import { Gauge, Registry } from 'prom-client'
import { z } from 'zod'
import { apiPrefix, createApi } from './api.ts'
import type { ApiServices } from './services.ts'

/** The product's own API on the HTTP server, for the command line and the dashboard. */
export const api = definePlugin({
  name: 'api',
  version: '0.1.0',
  kernel: '^1',
  requires: [
    HttpServer,
    Metrics,
    Tokens,
    Apps,
    AppConfig,
    Domains,
    Processes,
    Releases,
    Deploys,
    AppLogs,
    Builders,
    Checks,
    Sites,
    Certificates,
    Acme,
    SshKeys,
    BaseImage,
    Events,
    Ledger,
    Router,
    Scheduler,
  ],
  config: z.strictObject({
    dataDir: z.string(),
    version: z.string(),
    /** The composition root's view of its plugins: no plugin has one of the others. */
    plugins: z.custom<() => PluginReport[]>((value) => typeof value === 'function').default(() => () => []),
  }),
  setup(ctx) {
    const { dataDir, version, plugins } = ctx.config
    const http = ctx.use(HttpServer)
    const ledger = ctx.use(Ledger)
    const services: ApiServices = {
      apps: ctx.use(Apps),
      config: ctx.use(AppConfig),
      domains: ctx.use(Domains),
      processes: ctx.use(Processes),
      releases: ctx.use(Releases),
      deploys: ctx.use(Deploys),
      logs: ctx.use(AppLogs),
      builders: ctx.use(Builders),
      checks: ctx.use(Checks),
      sites: ctx.use(Sites),
      certificates: ctx.use(Certificates),
      acme: ctx.use(Acme),
      keys: ctx.use(SshKeys),
      tokens: ctx.use(Tokens),
      baseImage: ctx.use(BaseImage),
      events: ctx.use(Events),
      scheduler: ctx.use(Scheduler),
      router: ctx.use(Router),
      http,
      ledger: async () => ctx.call(diskLedger, await ledger.entries()),
      plugins,
      facts: { version, dataDir, startedAt: new Date().toISOString() },
    }
    const app = createApi(services, ctx.log)
    ctx.defer(http.mount(apiPrefix, (request, env) => app.fetch(request, env), { auth: 'caller' }))
    ctx.defer(ctx.use(Metrics).add(() => appMetrics(services)))
  },
})

/** How many apps are in which state, and how many processes they run. */
async function appMetrics({ apps }: Pick<ApiServices, 'apps'>): Promise<string> {
  const registry = new Registry()
  const registers = [registry]
  const states = new Gauge({ name: 'kernel_apps', help: 'Apps by state.', labelNames: ['state'], registers })
  const running = new Gauge({
    name: 'kernel_app_processes',
    help: 'Running processes by app and type.',
    labelNames: ['app', 'type'],
    registers,
  })
  for (const state of ['created', 'deploying', 'running', 'stopped', 'crashed']) states.set({ state }, 0)
  for (const { name, state, processes } of await apps.list()) {
    states.inc({ state })
    for (const [type, count] of Object.entries(processes)) running.set({ app: name, type }, count)
  }
  return registry.metrics()
}
