/**
 * The runtime: images, containers, networks, volumes, builds, and where apps' processes run.
 * @module
 */
import { join } from 'node:path'
import {
  BaseImage,
  Containers,
  Events,
  ImageBuilder,
  Images,
  Ledger,
  Networks,
  Scheduler,
  Volumes,
} from '@kernel/contracts'
import { definePlugin } from '@kernel/kernel'
import { ensureDir } from '@kernel/state'
import { z } from 'zod'
import { createEvents } from './events/index.ts'
import { rememberedHost } from './host/index.ts'
import { removeLeftovers } from './leftovers.ts'
import { openRuntime } from './runtime.ts'

export { doctorChecks, probeHost } from './host/index.ts'

const configSchema = z.strictObject({
  dataDir: z.string().startsWith('/'),
  /** `auto`: containers where they can be had. */
  driver: z.enum(['auto', 'container', 'process']).default('auto'),
  /** Tried first; the other is taken where it does not work. */
  preferRuntime: z.enum(['crun', 'runc']).optional(),
  /** Registries (`host:port`) that are asked by plain HTTP. */
  insecureRegistries: z.array(z.string()).default([]),
  network: z
    .strictObject({
      /** Name of the default network's bridge. */
      bridge: z.string().max(15).optional(),
      /** The default network, such as 172.20.0.0/16; else a free one is picked and remembered. */
      subnet: z.string().optional(),
      /** Where other networks get their subnets from. */
      pool: z.array(z.strictObject({ base: z.string(), size: z.int().min(8).max(30) })).optional(),
    })
    .optional(),
  /** End the apps' processes with the daemon; the next start brings them back. */
  stopWorkloads: z.boolean().default(false),
})

export default definePlugin({
  name: 'runtime',
  version: '0.1.0',
  kernel: '^1',
  provides: [Images, ImageBuilder, BaseImage, Containers, Networks, Volumes, Scheduler, Events, Ledger],
  config: configSchema,
  permissions: ['root', 'network'],
  stopTimeoutMs: 60_000,
  async setup(ctx) {
    const { dataDir, preferRuntime, ...settings } = ctx.config
    await ensureDir(join(dataDir, 'db'))
    await ensureDir(join(dataDir, 'tmp'))
    await ensureDir(join(dataDir, 'run'))
    await removeLeftovers(join(dataDir, 'tmp'), ctx.log)
    const events = createEvents({ file: join(dataDir, 'db', 'events.db'), log: ctx.log })
    ctx.defer(() => events.close())
    const host = await rememberedHost({ dataDir, preferRuntime })
    const runtime = await openRuntime({ ...settings, dataDir, host, events, log: ctx.log })
    ctx.defer(() => runtime.close())
    if (host.runtime && !host.reason) {
      const { kind, version, path } = host.runtime
      ctx.log.info(`Containers by ${kind} ${version}`, { path, cgroup: host.cgroup })
    }
    ctx.provide(Images, runtime.images)
    ctx.provide(ImageBuilder, runtime.builder)
    ctx.provide(BaseImage, runtime.baseImage)
    ctx.provide(Containers, runtime.containers)
    ctx.provide(Networks, runtime.networks)
    ctx.provide(Volumes, runtime.volumes)
    ctx.provide(Scheduler, runtime.scheduler)
    ctx.provide(Events, events)
    ctx.provide(Ledger, runtime.ledger)
  },
})
