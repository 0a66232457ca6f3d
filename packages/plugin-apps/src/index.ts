/**
 * Apps: what is pushed is built, released, started, checked and routed; and everything an owner does with it
 * afterwards. Knows neither Git nor containers nor HTTP: those are the Repositories, Scheduler and Router of
 * other plugins.
 * @module
 */
import { join } from 'node:path'
import {
  AppConfig,
  AppLogs,
  Apps,
  appExists,
  appMaybeCreate,
  Builders,
  builderBuild,
  builderDetect,
  Checks,
  Deploys as DeploysToken,
  Domains,
  deployedRev,
  diskLedger,
  Events,
  failed,
  Processes,
  Releases,
  Repositories,
  Router,
  receiveBranch,
  Scheduler,
} from '@kernel/contracts'
import { definePlugin } from '@kernel/kernel'
import { ensureDir } from '@kernel/state'
import { addPins } from './artifacts.ts'
import { builderNamed, detectBuilder } from './builders/detect.ts'
import { defaultBase } from './builders/source-plan.ts'
import { Deployer } from './deployer.ts'
import { Deploys } from './deploys.ts'
import { effectiveDomains } from './domain-names.ts'
import { LogArchive } from './log-archive.ts'
import { Freezer } from './pipeline/freezer.ts'
import { HealthWatch } from './pipeline/health.ts'
import { Monitor } from './pipeline/monitor.ts'
import { Retirer } from './pipeline/retire.ts'
import { RoutePublisher } from './pipeline/routes.ts'
import type { Platform } from './platform.ts'
import { AppQueue } from './queue.ts'
import { createAtPush, receivePush } from './receive.ts'
import { reconcile } from './reconcile.ts'
import { createApps } from './services/apps.ts'
import { createConfig } from './services/config.ts'
import { createDomains } from './services/domains.ts'
import { createLifecycle } from './services/lifecycle.ts'
import { createLogs } from './services/logs.ts'
import { createProcesses } from './services/processes.ts'
import { createReleases } from './services/releases.ts'
import { createBuilders, createChecks } from './services/settings-services.ts'
import { settingsSchema } from './settings.ts'
import { parseProcfile } from './source/procfile.ts'
import { readSourceFile } from './source/source-files.ts'
import { openStore } from './store/store.ts'

export default definePlugin({
  name: 'apps',
  version: '0.1.0',
  kernel: '^1',
  requires: [Scheduler, Router, Events],
  optional: [Repositories],
  provides: [Apps, AppConfig, Domains, Processes, Releases, DeploysToken, AppLogs, Builders, Checks],
  config: settingsSchema,
  // Running deploys take back what they did, and retired processes get a moment to end.
  stopTimeoutMs: 60_000,
  async setup(ctx) {
    const { dataDir } = ctx.config
    const folder = async (...names: string[]) => {
      const path = join(dataDir, ...names)
      await ensureDir(path)
      return path
    }
    const store = openStore(await folder('db'))
    ctx.defer(() => store.close())
    const appsDir = await folder('apps')
    await folder('apps', 'deploys')
    await folder('apps', 'logs')
    const platform: Platform = {
      scheduler: ctx.use(Scheduler),
      router: ctx.use(Router),
      events: ctx.use(Events),
      repositories: () => ctx.use(Repositories),
      call: ctx.call,
      log: ctx.log,
      store,
      settings: ctx.config,
      tmpDir: await folder('tmp'),
      appsDir,
      signal: ctx.signal,
    }
    const routes = new RoutePublisher(platform)
    const archive = new LogArchive(platform)
    const monitor = new Monitor(platform, routes)
    const health = new HealthWatch(platform, routes, monitor)
    const freezer = new Freezer(platform)
    const retirer = new Retirer(platform, archive, freezer)
    const queue = new AppQueue()
    const open = queue.hold()
    const deploys = new Deploys(platform, queue)
    deploys.endInterrupted()
    const floor = { platform, routes, monitor, retirer, freezer }
    const deployer = new Deployer(floor, queue, deploys)
    const lifecycle = createLifecycle(floor, queue, archive)

    ctx.provide(Apps, createApps(floor, queue, deploys, lifecycle))
    ctx.provide(AppConfig, createConfig(platform, queue, deployer))
    ctx.provide(Domains, createDomains(platform, routes))
    ctx.provide(Processes, createProcesses(floor, queue, deployer, deploys, health))
    ctx.provide(Releases, createReleases(floor, deployer))
    ctx.provide(DeploysToken, deploys)
    ctx.provide(AppLogs, createLogs(platform, archive, monitor))
    ctx.provide(Builders, createBuilders(platform))
    ctx.provide(
      Checks,
      createChecks(platform, (app) => effectiveDomains(app, platform)[0] ?? app.name),
    )

    ctx.on(appExists, ({ app }) => store.findApp(app) !== undefined || undefined)
    ctx.on(deployedRev, ({ app: name }) => {
      const app = store.findApp(name)
      return app?.current === undefined ? undefined : store.findRelease(name, app.current)?.gitRev
    })
    ctx.on(appMaybeCreate, ({ app }) => createAtPush(platform, app))
    ctx.on(receiveBranch, (push) => receivePush(platform, deployer, push))
    ctx.on(builderDetect, ({ app, dir }) => detectBuilder({ dir, dockerfilePath: dockerfilePathOf(app) }))
    ctx.on(builderBuild, async ({ app, dir, builder }) => {
      const procfile = await readSourceFile(dir, 'Procfile')
      return builderNamed(builder)?.plan({
        dir,
        base: store.app(app).builder.base ?? defaultBase,
        dockerfilePath: dockerfilePathOf(app),
        ...(procfile !== undefined && { procfile: parseProcfile(procfile) }),
      })
    })
    ctx.on(diskLedger, (entries) => addPins(platform, entries))
    const dockerfilePathOf = (app: string) => store.findApp(app)?.builder.dockerfilePath ?? 'Dockerfile'

    let background: Promise<void> = Promise.resolve()
    ctx.defer(async () => {
      await queue.close(failed('The daemon is stopping', { hint: 'Push again when it is back.' }))
      await Promise.all([retirer.idle(), monitor.stopped(), health.stopped(), background])
    })
    // After every plugin has started, since those that change how processes are started take part in this too.
    ctx.ready(async () => {
      monitor.start()
      health.start()
      retirer.watchFreezer()
      background = (await reconcile(floor, queue, lifecycle, open)).background
    })
  },
})
