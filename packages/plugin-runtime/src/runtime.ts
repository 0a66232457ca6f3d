/** Puts the parts of the runtime together: with containers where this machine can have them, else without. @module */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type Events, type Ledger, type LedgerEntry, type Scheduler, unavailable } from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { ensureDir, openDatabase } from '@kernel/state'
import { createBaseImage } from './base-image/index.ts'
import { createBuilder } from './build/index.ts'
import { containersLedger, createContainers } from './containers/index.ts'
import { createNetworks, type SubnetPool } from './networks/index.ts'
import { type ContainerServices, noContainers } from './no-containers.ts'
import type { HostFacts } from './parts.ts'
import {
  createArtifacts,
  createContainerDriver,
  createProcessDriver,
  createTreeArtifacts,
} from './scheduler/index.ts'
import { createStore } from './store/index.ts'
import { createVolumes } from './volumes/index.ts'

export interface RuntimeOptions {
  dataDir: string
  driver: 'auto' | 'container' | 'process'
  host: HostFacts
  events: Events
  log: Logger
  insecureRegistries: string[]
  network?: { bridge?: string; subnet?: string; pool?: SubnetPool[] }
  /** Ends the apps' processes at close; the next start brings them back. */
  stopWorkloads: boolean
}

export interface Runtime extends ContainerServices {
  scheduler: Scheduler
  ledger: Ledger
  /** Containers live on, unless `stopWorkloads`. */
  close(): Promise<void>
}

/** All global names (bridges, tables, cgroups) contain it, so that daemons stand side by side. */
export const instanceOf = (dataDir: string): string =>
  createHash('sha256').update(dataDir).digest('hex').slice(0, 8)

/** @throws unavailable where containers are asked for and can't be had */
export async function openRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { driver, host } = options
  if (driver === 'container' && host.reason)
    throw unavailable(
      `The driver \`container\` was asked for, but this machine can not have containers: ${host.reason}`,
      {
        hint: '`kernel doctor` says what to do',
      },
    )
  return driver === 'process' || host.reason
    ? openProcesses(options, host.reason ?? 'the driver `process` was asked for')
    : openContainers(options)
}

async function openContainers(options: RuntimeOptions): Promise<Runtime> {
  const { dataDir, host, events, log, insecureRegistries } = options
  const instance = instanceOf(dataDir)
  const [store, networkPart, volumePart] = await Promise.all([
    createStore({
      dataDir,
      log,
      registry: { insecure: insecureRegistries },
      onEvent: ({ action, id, name }) =>
        events.publish({
          Type: 'image',
          Action: action,
          Actor: { ID: id, Attributes: name ? { name } : {} },
        }),
    }),
    createNetworks({ dataDir, log, events, instance, config: options.network }),
    createVolumes({ dataDir, log, events }),
  ])
  const { images, snapshots, archives } = store
  const { networks, sandboxes } = networkPart
  const containers = await createContainers({
    dataDir,
    log,
    host,
    images,
    snapshots,
    archives,
    sandboxes,
    volumes: volumePart.mounts,
    events,
    cgroupParent: `kernel-${instance}`,
  })
  await containers.restore()
  const builder = await createBuilder({ dataDir, images, snapshots, containers, events, log })
  const baseImage = createBaseImage({ dataDir, images, log })
  const artifacts = createArtifacts({ images, builder, baseImage })
  const scheduler = createContainerDriver({ containers, networks, artifacts, log })

  async function entries(): Promise<LedgerEntry[]> {
    const volumes = await volumePart.volumes.list({ size: true })
    const users = await containers.list({ all: true })
    return [
      ...(await store.ledger()),
      ...(await containersLedger(containers)),
      ...volumes.map(({ Name, UsageData }) => ({
        kind: 'volume',
        id: Name,
        bytes: UsageData?.Size ?? 0,
        // A volume stays until it is removed by name, used or not.
        pinnedBy: [
          `volume ${Name}`,
          ...users
            .filter(({ Mounts }) => Mounts.some((mount) => mount.Name === Name))
            .map(({ Names }) => `container ${Names[0]?.slice(1)}`),
        ],
      })),
    ].sort((a, b) => (a.kind + a.id < b.kind + b.id ? -1 : 1))
  }

  return {
    images,
    builder,
    baseImage,
    containers,
    networks,
    volumes: volumePart.volumes,
    scheduler,
    ledger: { entries },
    async close() {
      if (options.stopWorkloads) await stopAll(scheduler, log)
      const running = await containers.list()
      builder.close()
      await containers.close()
      // Bridges and rules stay for containers that live on; without any, nothing is left on the machine.
      if (running.length === 0) await networkPart.purge()
      await networkPart.close()
      await volumePart.close()
      await store.close()
    },
  }
}

async function openProcesses(options: RuntimeOptions, reason: string): Promise<Runtime> {
  const { dataDir, log } = options
  await ensureDir(join(dataDir, 'db'))
  const db = openDatabase(join(dataDir, 'db', 'runtime.db'))
  const artifacts = await createTreeArtifacts({ dataDir })
  const driver = await createProcessDriver({
    dataDir,
    db,
    artifacts,
    events: options.events,
    instance: instanceOf(dataDir),
    log,
  })
  const { warning } = await driver.describe()
  log.warn(`No containers: ${reason}. ${warning?.replaceAll('\n', ' ')}`)
  return {
    ...noContainers(reason),
    scheduler: driver,
    ledger: {
      entries: async () =>
        Promise.all(
          (await artifacts.list()).map(async (id) => ({
            kind: 'artifact',
            id,
            bytes: await artifacts.size(id),
            pinnedBy: [],
          })),
        ),
    },
    async close() {
      await driver.close()
      db.close()
    },
  }
}

async function stopAll(scheduler: Scheduler, log: Logger): Promise<void> {
  const workloads = await scheduler.list()
  const running = workloads.filter(({ status }) => status !== 'exited')
  const results = await Promise.allSettled(running.map(({ id }) => scheduler.stop(id, { timeoutSec: 10 })))
  for (const result of results)
    if (result.status === 'rejected') log.warn('A process could not be stopped', { error: result.reason })
}
