/** The `Containers` service, put together from its parts. @module */
import type { Containers, LogOptions } from '@kernel/contracts'
import { notFound } from '@kernel/contracts'
import { createArchiveCalls } from './archive.ts'
import { attachContainer, readContainerLog } from './attach.ts'
import { removeCgroupParent } from './cgroup.ts'
import { conmonResize } from './conmon.ts'
import { createContainer } from './create.ts'
import { type ContainersOptions, createEngine, type Engine } from './engine.ts'
import { createExecs } from './exec.ts'
import { handleExit } from './exit.ts'
import { inspectOf } from './inspect.ts'
import { listContainers, prunable, sizesOf } from './list.ts'
import { checkName } from './names.ts'
import { rewriteNetworkFiles } from './network-files.ts'
import { isRunning } from './record.ts'
import { notRunning } from './registry.ts'
import { removeContainer } from './remove.ts'
import { restartContainer } from './restart.ts'
import { restoreContainers } from './restore.ts'
import { startContainer } from './start.ts'
import { statsOf } from './stats.ts'
import { killContainer, pauseContainer, stopContainer, unpauseContainer } from './stop.ts'
import { topOf } from './top.ts'
import { updateContainer } from './update.ts'
import { waitFor } from './wait.ts'

export type ContainersService = Containers & {
  /** Finds the containers of an earlier daemon again and applies their policies; once, before all else. */
  restore(): Promise<void>
  /** Leaves containers running. */
  close(): Promise<void>
}

/** @throws Error where `host` says that containers can't be had here */
export async function createContainers(options: ContainersOptions): Promise<ContainersService> {
  const engine = createEngine(options)
  engine.exited = (record, exitCode) => engine.background(handleExit(engine, record, exitCode))
  tellOthers(engine)
  const execs = createExecs(engine)
  const { registry } = engine

  return {
    create: (name, body) => createContainer(engine, name, body),
    start: (ref) => startContainer(engine, ref),
    stop: (ref, stop) => stopContainer(engine, ref, stop),
    restart: (ref, stop) => restartContainer(engine, ref, stop),
    kill: (ref, signal) => killContainer(engine, ref, signal),
    pause: (ref) => pauseContainer(engine, ref),
    unpause: (ref) => unpauseContainer(engine, ref),
    remove: (ref, how) => removeContainer(engine, ref, how),
    update: (ref, change) => updateContainer(engine, ref, change),
    list: (list) => listContainers(engine, list),
    wait: async (ref, condition, signal) => waitFor(engine, ref, condition, signal),
    attach: async (ref, attach) => attachContainer(engine, ref, attach),
    logs: async (ref: string, logs: LogOptions) => readContainerLog(engine, registry.resolve(ref), logs),
    rename: (ref, name) => renameContainer(engine, ref, name),

    async inspect(ref, inspect) {
      const record = registry.resolve(ref)
      const answer = inspectOf(engine, record)
      return inspect?.size ? { ...answer, ...(await sizesOf(engine, record)) } : answer
    },
    async resize(ref, rows, columns) {
      const record = registry.resolve(ref)
      engine.live(record).size = [rows, columns]
      if (isRunning(record)) conmonResize(engine.bundle(record.id), rows, columns)
    },
    async top(ref, psArgs) {
      const record = registry.resolve(ref)
      if (!isRunning(record)) throw notRunning(record)
      const result = await topOf(engine.cgroup(record).pids(), psArgs)
      engine.publish(record, 'top')
      return result
    },
    async stats(ref) {
      const record = registry.resolve(ref)
      return statsOf(record, engine.cgroup(record), engine.host.cgroup)
    },

    ...createArchiveCalls(engine),

    execCreate: async (ref, body) => execs.create(ref, body),
    execStart: (id, start) => execs.start(id, start),
    execInspect: async (id) => execs.inspect(id),
    execResize: async (id, rows, columns) => execs.resize(id, rows, columns),
    execWait: async (id) => execs.wait(id),

    async prune(prune = {}) {
      const deleted: string[] = []
      let spaceReclaimed = 0
      for (const record of prunable(engine, prune.filters)) {
        const size = await engine.snapshots.usage(record.id).catch(() => 0)
        try {
          await removeContainer(engine, record.id)
        } catch {
          continue // started or removed meanwhile
        }
        deleted.push(record.id)
        spaceReclaimed += size
      }
      return { deleted, spaceReclaimed }
    },

    restore: () => restoreContainers(engine),
    async close() {
      engine.closing = true
      engine.exits.close()
      engine.rotation.close()
      for (const record of registry.all()) {
        const live = engine.live(record)
        live.restart?.cancel()
        live.stopHealth?.()
        live.console.detachAll()
      }
      await engine.idle()
      removeCgroupParent(engine.host.cgroup, engine.cgroupParent)
      engine.db.close()
    },
  }
}

/** Images, volumes and networks ask who uses them, and networks tells of endpoints that change. */
function tellOthers(engine: Engine): void {
  const { registry } = engine
  engine.images.setUsers(
    (image) =>
      registry
        .all()
        .filter((record) => record.image === image)
        .map(({ id }) => id),
    (id) => {
      const record = registry.get(id)
      return record !== undefined && isRunning(record)
    },
  )
  engine.volumes.setUsers((volume) =>
    registry
      .all()
      .filter((record) => record.mounts.some(({ Type, Name }) => Type === 'volume' && Name === volume))
      .map(({ id }) => id),
  )
  engine.sandboxes.setContainers(() =>
    registry.all().map((record) => ({
      id: record.id,
      name: record.name,
      running: isRunning(record),
      paused: record.status === 'paused',
      endpoints: record.endpoints,
    })),
  )
  engine.sandboxes.onEndpointChange(async (containerId, network, endpoint, files) => {
    const record = registry.get(containerId)
    if (!record) throw notFound(`No such container: ${containerId}`)
    const endpoints = { ...record.endpoints }
    if (endpoint) endpoints[network] = endpoint
    else delete endpoints[network]
    record.endpoints = endpoints
    if (record.sandbox) record.sandbox = { ...record.sandbox, endpoints, ...files }
    registry.save(record)
    if (files) rewriteNetworkFiles(engine.bundle(containerId), files)
  })
}

async function renameContainer(engine: Engine, ref: string, given: string): Promise<void> {
  const record = engine.registry.resolve(ref)
  const name = checkName(given)
  await engine.mutex.run(record.id, async () => {
    const oldName = record.name
    engine.registry.reserve(name, record.id)
    try {
      await engine.sandboxes.rename(record.id, name)
      record.name = name
      engine.registry.save(record)
    } catch (error) {
      record.name = oldName
      if (name !== oldName) engine.registry.release(name, record.id)
      throw error
    }
    if (name !== oldName) engine.registry.release(oldName, record.id)
    engine.publish(record, 'rename', { oldName: `/${oldName}` })
  })
}
