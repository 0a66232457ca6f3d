/** A new daemon finds the containers of the one before: those that run, and those that ended meanwhile. @module */
import { existsSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { collect, remove } from './burial.ts'
import { conmonReopenLog } from './conmon.ts'
import { sandboxRequest } from './create.ts'
import type { Engine } from './engine.ts'
import { handleExit, scheduleRestart } from './exit.ts'
import { startHealthcheck } from './health.ts'
import { logPolicyOf } from './log-files.ts'
import { isAlive } from './process-identity.ts'
import { type ContainerRecord, isRunning } from './record.ts'
import { startsWithDaemon } from './restart-policy.ts'
import { launch } from './start.ts'

/** What ended when nobody looked and left no exit code: the machine was restarted, or conmon killed. */
const UNKNOWN_EXIT = 255

/** Called once, before anything else is asked of the containers. */
export async function restoreContainers(engine: Engine): Promise<void> {
  const { registry, exits } = engine
  for (const garbage of registry.garbage()) await collect(engine, garbage)
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
  // What stands as stopped but has a place in the OCI runtime was being started when the daemon was killed:
  // nobody was told that it runs, so that it does not.
  const known = new Set(await readdir(engine.dirs.runtime))
  for (const record of records)
    if (!isRunning(record) && known.has(record.id)) await engine.runtime.delete(record.id).catch(() => {})
  for (const record of ended) await handleExit(engine, record, ...outcomeOf(engine, record))
  for (const record of records) await settle(engine, record, ended.includes(record))
  await removeStrays(engine)
  engine.background(startAgain(engine, records))
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
    const removes = record.hostConfig.AutoRemove === true
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
      if (isRunning(record) || record.status === 'restarting' || !startsWithDaemon(record)) return
      await launch(engine, record).catch((error: Error) =>
        engine.log.warn(`container ${record.name} was not started: ${error.message}`),
      )
    })
  }
}

/** Folders of containers that were being made when the daemon was killed. */
async function removeStrays(engine: Engine): Promise<void> {
  for (const id of await readdir(engine.dirs.containers))
    if (/^[0-9a-f]{64}$/.test(id) && !engine.registry.get(id))
      await collect(engine, { id, removeVolumes: true })
}
