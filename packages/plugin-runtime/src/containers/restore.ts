/** A new daemon finds the containers of the one before: those that run, and those that ended meanwhile. @module */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { sweepTemp } from '@kernel/state'
import { umountIfMounted } from '@kernel/sys'
import { collect, remove } from './burial.ts'
import { conmonReopenLog } from './conmon.ts'
import { conmonEnd } from './conmon-end.ts'
import { sandboxRequest } from './create.ts'
import type { Engine } from './engine.ts'
import { handleExit, scheduleRestart } from './exit.ts'
import { startHealthcheck } from './health.ts'
import { logPolicyOf } from './log-files.ts'
import { isAlive } from './process-identity.ts'
import { type ContainerRecord, isRunning } from './record.ts'
import type { Garbage } from './registry.ts'
import { removeContainer } from './remove.ts'
import { restartContainer } from './restart.ts'
import { startsWithDaemon } from './restart-policy.ts'
import { launch } from './start.ts'
import { stopRunning } from './stop.ts'

/** What ended when nobody looked and left no exit code: the machine was restarted, or conmon killed. */
const UNKNOWN_EXIT = 255

/** Called once, before anything else is asked of the containers. */
export async function restoreContainers(engine: Engine): Promise<void> {
  const { registry, exits } = engine
  const garbage = [...registry.garbage(), ...strays(engine)]
  const records = registry.all()
  const alive = records.filter(
    (record) => isRunning(record) && exits.read(record.id) === undefined && isAlive(record.process),
  )
  const ended = records.filter((record) => isRunning(record) && !alive.includes(record))
  await engine.sandboxes.restore(
    alive.flatMap((record) =>
      record.sandbox ? [{ ...sandboxRequest(record), result: record.sandbox }] : [],
    ),
  )
  for (const record of alive) adopt(engine, record)
  const stopped = records.filter((record) => !isRunning(record))
  const known = new Set(await readdir(engine.dirs.runtime))
  await Promise.all(stopped.map((record) => letGo(engine, record, known.has(record.id))))
  // What ended a moment ago may not have its exit code written down yet.
  await Promise.all(ended.map(({ id }) => conmonEnd(engine.bundle(id), id)))
  for (const record of ended) await handleExit(engine, record, ...outcomeOf(engine, record))
  for (const record of records) await settle(engine, record, ended.includes(record))
  // Nobody waits for what is gone by its record.
  engine.background(clearUp(engine, garbage))
  for (const record of records) if (record.intent) engine.background(finish(engine, record))
  engine.background(startAgain(engine, records))
}

/**
 * What stands as stopped but has a place in the OCI runtime was being started when the daemon was killed: nobody
 * was told that it runs, so that it does not. Or it had ended, and was not cleaned up yet.
 */
async function letGo(engine: Engine, { id, name }: ContainerRecord, known: boolean): Promise<void> {
  try {
    if (known) await engine.runtime.delete(id)
    umountIfMounted(join(engine.bundle(id), 'shm'))
    await engine.snapshots.unmount(id)
  } catch (error) {
    engine.log.warn(`container ${name} was not cleaned up: ${(error as Error).message}`)
  }
}

/** Brings to its end what was asked of a container when the daemon was killed. */
async function finish(engine: Engine, record: ContainerRecord): Promise<void> {
  const { id, intent } = record
  if (!intent || !engine.registry.get(id)) return
  if (intent.kind === 'remove') return removeContainer(engine, id, { force: true, volumes: intent.volumes })
  const options = intent.timeoutSec === undefined ? {} : { timeoutSec: intent.timeoutSec }
  if (intent.kind === 'restart') return restartContainer(engine, id, options)
  if ((await stopRunning(engine, record, options)) === 'stopped') return
  record.intent = undefined
  engine.registry.save(record)
}

function adopt(engine: Engine, record: ContainerRecord): void {
  // A kill may have come between the freezer and the record; the freezer is right.
  const frozen = engine.cgroup(record).isFrozen()
  const status = frozen === undefined ? record.status : frozen ? 'paused' : 'running'
  if (status !== record.status) {
    record.status = status
    engine.registry.save(record)
  }
  const bundle = engine.bundle(record.id)
  engine.exits.expect(record.id, (exitCode) => engine.exited(record, exitCode))
  const path = engine.logPath(record.id)
  const policy = logPolicyOf(record.hostConfig.LogConfig)
  if (policy.driver === 'file' && !existsSync(path)) conmonReopenLog(bundle) // killed in the middle of a rotation
  engine.rotation.watch(record.id, bundle, path, policy)
  engine.live(record).console.open(bundle, record.process?.pid ?? 0)
  startHealthcheck(engine, record, { goOn: true })
}

function outcomeOf(engine: Engine, { id }: ContainerRecord): [exitCode: number, at: string | undefined] {
  const exitCode = engine.exits.read(id)
  if (exitCode === undefined) return [UNKNOWN_EXIT, undefined]
  const { mtimeNs, mtime } = statSync(join(engine.dirs.exits, id), { bigint: true })
  return [
    exitCode,
    mtime.toISOString().replace('Z', `${(mtimeNs % 1_000_000n).toString().padStart(6, '0')}Z`),
  ]
}

/** What should be gone goes; what waits for its restart waits on. */
async function settle(engine: Engine, record: ContainerRecord, justEnded: boolean): Promise<void> {
  if (!engine.registry.get(record.id) || isRunning(record)) return
  await engine.mutex.run(record.id, async () => {
    const removes = record.hostConfig.AutoRemove === true && record.intent?.kind !== 'restart'
    if (record.status === 'removing' || (removes && record.status === 'exited'))
      await remove(engine, record, { volumes: removes })
    else if (record.status === 'restarting' && !justEnded) scheduleRestart(engine, record, 0)
  })
}

/** The policies that bring containers up with the daemon; one after the other, while it serves already. */
async function startAgain(engine: Engine, records: ContainerRecord[]): Promise<void> {
  for (const record of records) {
    await engine.mutex.run(record.id, async () => {
      if (engine.closing || !engine.registry.get(record.id)) return
      if (isRunning(record) || record.intent || record.status === 'restarting' || !startsWithDaemon(record))
        return
      await launch(engine, record).catch((error: Error) =>
        engine.log.warn(`container ${record.name} was not started: ${error.message}`),
      )
    })
  }
}

/** Remains of containers that were removed, or being made, when the daemon was killed. */
async function clearUp(engine: Engine, garbage: Garbage[]): Promise<void> {
  for (const one of garbage) await collect(engine, one)
  await sweepTemp(engine.dirs.containers)
}

/** Folders of nobody. */
function strays({ dirs, registry }: Engine): Garbage[] {
  return readdirSync(dirs.containers)
    .filter((id) => /^[0-9a-f]{64}$/.test(id) && !registry.get(id))
    .map((id) => ({ id, removeVolumes: true }))
}
