/** What happens when a container ends: recorded first, then told, cleaned, started again or removed. @module */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { umountIfMounted } from '@kernel/sys'
import { bury } from './burial.ts'
import { conmonEnd } from './conmon-end.ts'
import type { Engine } from './engine.ts'
import { type ContainerRecord, isRunning, now } from './record.ts'
import { nextDelay, restarts } from './restart-policy.ts'
import { launch } from './start.ts'

/** @param at when it ended (RFC 3339), where that was not just now */
export async function handleExit(
  engine: Engine,
  record: ContainerRecord,
  exitCode: number,
  at?: string,
): Promise<void> {
  await engine.mutex.run(record.id, async () => {
    if (engine.closing || !isRunning(record)) return
    const live = engine.live(record)
    live.stopHealth?.()
    live.stopHealth = undefined
    engine.rotation.unwatch(record.id)
    const ranMs = Date.now() - Date.parse(record.startedAt)

    record.oomKilled = wasOomKilled(engine, record)
    record.status = 'exited'
    record.exitCode = exitCode
    record.finishedAt = at ?? now()
    record.process = undefined
    record.sandbox = undefined
    if (record.intent?.kind === 'stop') record.intent = undefined
    const again = restarts(record)
    const comesBack = again || live.keep || record.intent?.kind === 'restart'
    const removes = record.hostConfig.AutoRemove === true && !comesBack
    if (again) record.status = 'restarting'
    // One that removes itself is gone with its next commit; a crash in between finds its exit file again.
    if (!removes) engine.registry.save(record)

    live.cleaning = cleanUp(engine, record)
    live.console.end()
    if (record.oomKilled) engine.publish(record, 'oom')
    engine.publish(record, 'die', {
      exitCode: String(exitCode),
      execDuration: String(Math.max(0, Math.floor(ranMs / 1000))),
    })
    const { exit } = live
    live.exit = Promise.withResolvers()
    exit.resolve({ exitCode })
    await engine.sandboxes
      .down(record.id)
      .catch((error: Error) =>
        engine.log.warn(`the network of ${record.name} was not taken down: ${error.message}`),
      )
    if (removes) bury(engine, record, { volumes: true })
    else if (again) scheduleRestart(engine, record, ranMs)
  })
}

/** The runtime's state, the cgroup and the mount go off the hot path; the next start waits for it. */
async function cleanUp(engine: Engine, { id, name }: ContainerRecord): Promise<void> {
  try {
    await conmonEnd(engine.bundle(id), id)
    await engine.runtime.delete(id)
    umountIfMounted(join(engine.bundle(id), 'shm'))
    await engine.snapshots.unmount(id)
  } catch (error) {
    engine.log.warn(`container ${name} was not cleaned up after its end: ${(error as Error).message}`)
  }
}

/** conmon leaves a file where it saw the kernel kill for want of memory; the cgroup counts the kills, too. */
function wasOomKilled(engine: Engine, record: ContainerRecord): boolean {
  const since = Date.parse(record.startedAt) - 1000
  try {
    if (statSync(join(engine.bundle(record.id), 'oom')).mtimeMs >= since) return true
  } catch {
    // no such file: the usual case
  }
  return engine.cgroup(record).oomKills() > 0
}

/** Starts it again after a pause that grows with every quick death. */
export function scheduleRestart(engine: Engine, record: ContainerRecord, ranMs: number): void {
  const live = engine.live(record)
  live.backoffMs = nextDelay(live.backoffMs, ranMs)
  const start = async () => {
    live.restart = undefined
    await engine.mutex.run(record.id, async () => {
      if (engine.closing || record.status !== 'restarting' || !engine.registry.get(record.id)) return
      record.restartCount++
      try {
        await launch(engine, record)
      } catch (error) {
        engine.log.warn(`container ${record.name} was not started again: ${(error as Error).message}`)
        if (!engine.registry.get(record.id)) return
        if (!restarts(record)) return
        record.status = 'restarting'
        engine.registry.save(record)
        scheduleRestart(engine, record, 0)
      }
    })
  }
  const timer = setTimeout(() => void start(), live.backoffMs)
  live.restart = {
    timer,
    cancel: () => {
      clearTimeout(timer)
      live.restart = undefined
    },
  }
}
