/**
 * Images, layers, snapshots, containers, networks, volumes, builds: everything that runs something. On a
 * machine that can't have containers, apps run as processes and the rest says why it can't.
 * @module
 */
import { createHash } from 'node:crypto'
import { mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import {
  BaseImage,
  Containers,
  diskLedger,
  Events,
  ImageBuilder,
  Images,
  Ledger,
  Networks,
  Scheduler,
  unavailable,
  Volumes,
} from '@kernel/contracts'
import { definePlugin } from '@kernel/kernel'
import { ensureDir, openDatabase } from '@kernel/state'
import { z } from 'zod'
import { createBaseImage } from './base-image/index.ts'
import { createBuilder } from './build/index.ts'
import { createContainers } from './containers/index.ts'
import { createEvents } from './events/index.ts'
import { probeHost } from './host/index.ts'
import { createNetworks } from './networks/index.ts'
import { noContainers } from './no-containers.ts'
import { byKindAndId, runtimeLedger } from './runtime-ledger.ts'
import {
  createArtifacts,
  createContainerDriver,
  createProcessDriver,
  createTreeArtifacts,
} from './scheduler/index.ts'
import { createStore } from './store/index.ts'
import { createVolumes } from './volumes/index.ts'

export { type DoctorOptions, doctorChecks, probeHost } from './host/index.ts'

const configSchema = z.object({
  dataDir: z.string().min(1),
  /** How apps run; `auto`: as containers where this machine can have them. */
  driver: z.enum(['auto', 'container', 'process']).default('auto'),
  /** Which OCI runtime is tried first. */
  preferRuntime: z.enum(['crun', 'runc']).optional(),
  /** Registries that speak plain HTTP: `host:port`. */
  insecureRegistries: z.array(z.string()).default([]),
  /** Name of the default network's bridge. */
  bridge: z.string().optional(),
  /** The default network, such as `172.20.0.0/16`; otherwise a free one is picked and remembered. */
  subnet: z.string().optional(),
  /** Where networks get their subnets from. */
  subnetPools: z.array(z.object({ base: z.string(), size: z.number().int() })).optional(),
})

export default definePlugin({
  name: 'runtime',
  version: '0.1.0',
  kernel: '^1',
  provides: [Images, ImageBuilder, BaseImage, Containers, Networks, Volumes, Scheduler, Events, Ledger],
  config: configSchema,
  permissions: ['network', 'subprocess', 'root'],
  startTimeoutMs: 120_000,
  async setup(ctx) {
    const { config, log } = ctx
    mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
    const dataDir = realpathSync(config.dataDir)
    const instance = createHash('sha256').update(dataDir).digest('hex').slice(0, 8)
    await ensureDir(join(dataDir, 'db'))
    const host = await probeHost({ dataDir, preferRuntime: config.preferRuntime })
    if (host.reason !== undefined && config.driver === 'container')
      throw unavailable(`this machine can't run containers: ${host.reason}`, {
        hint: 'Set driver to auto or process, or see `kernel doctor`.',
      })

    const events = createEvents({ file: join(dataDir, 'db', 'events.db'), log })
    ctx.defer(() => events.close())
    ctx.provide(Events, events)

    const processScheduler = async () => {
      const db = openDatabase(join(dataDir, 'db', 'scheduler.db'))
      ctx.defer(() => db.close())
      const artifacts = await createTreeArtifacts({ dataDir })
      const driver = await createProcessDriver({ dataDir, db, artifacts, instance, log })
      ctx.defer(() => driver.close())
      return driver
    }

    if (host.reason !== undefined) {
      log.warn(`Containers can't be had here: ${host.reason}`)
      const none = noContainers(host.reason)
      ctx.provide(Images, none.images)
      ctx.provide(ImageBuilder, none.builder)
      ctx.provide(BaseImage, none.baseImage)
      ctx.provide(Containers, none.containers)
      ctx.provide(Networks, none.networks)
      ctx.provide(Volumes, none.volumes)
      ctx.provide(Scheduler, await processScheduler())
      ctx.provide(Ledger, { entries: async () => (await ctx.call(diskLedger, [])).toSorted(byKindAndId) })
      return
    }

    const store = await createStore({
      dataDir,
      log,
      registry: { insecure: config.insecureRegistries },
      onEvent: ({ action, id, name }) =>
        events.publish({
          Type: 'image',
          Action: action,
          Actor: { ID: id, Attributes: name ? { name } : {} },
        }),
    })
    ctx.defer(() => store.close())
    const { images, snapshots } = store
    const { volumes, mounts, close: closeVolumes } = await createVolumes({ dataDir, log, events })
    ctx.defer(closeVolumes)
    const {
      networks,
      sandboxes,
      close: closeNetworks,
    } = await createNetworks({
      ...{ dataDir, log, events, instance },
      config: { bridge: config.bridge, subnet: config.subnet, pool: config.subnetPools },
    })
    ctx.defer(closeNetworks)
    const containers = await createContainers({
      ...{ dataDir, log, host, images, snapshots, sandboxes, volumes: mounts, events },
      cgroupParent: `kernel-${instance}`,
    })
    ctx.defer(() => containers.close())
    await containers.restore()
    const builder = await createBuilder({ dataDir, images, snapshots, containers, log })
    ctx.defer(() => builder.close())
    const baseImage = createBaseImage({ dataDir, images, log })

    ctx.provide(Images, images)
    ctx.provide(ImageBuilder, builder)
    ctx.provide(BaseImage, baseImage)
    ctx.provide(Containers, containers)
    ctx.provide(Networks, networks)
    ctx.provide(Volumes, volumes)
    ctx.provide(
      Scheduler,
      config.driver === 'process'
        ? await processScheduler()
        : createContainerDriver({
            ...{ containers, networks, log },
            artifacts: createArtifacts({ images, builder, baseImage }),
          }),
    )
    ctx.provide(Ledger, {
      entries: async () => {
        const own = await runtimeLedger({ store: await store.ledger(), containers, volumes })
        return (await ctx.call(diskLedger, own)).toSorted(byKindAndId)
      },
    })
    log.info(`Containers run by ${host.runtime?.kind} ${host.runtime?.version}`, { cgroup: host.cgroup })
  },
})
