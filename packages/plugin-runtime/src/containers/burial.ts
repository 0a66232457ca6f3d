/** The end of a container: gone by record at once, its bytes afterwards, also over a crash. @module */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { removeTree } from '@kernel/state'
import { umountIfMounted } from '@kernel/sys'
import type { Engine } from './engine.ts'
import type { ContainerRecord } from './record.ts'
import type { Garbage } from './registry.ts'

/** Removes what does not run; the caller holds the container's lock. */
export async function remove(
  engine: Engine,
  record: ContainerRecord,
  options: { volumes: boolean },
): Promise<void> {
  const live = engine.live(record)
  live.restart?.cancel()
  await engine.sandboxes
    .down(record.id)
    .catch((error: Error) =>
      engine.log.warn(`the network of ${record.name} was not taken down: ${error.message}`),
    )
  bury(engine, record, options)
}

/** The record goes in one commit with a note of what is left to be cleaned up. */
export function bury(engine: Engine, record: ContainerRecord, options: { volumes: boolean }): void {
  const live = engine.live(record)
  const garbage: Garbage = { id: record.id, removeVolumes: options.volumes }
  live.stopHealth?.()
  engine.registry.bury(record, garbage)
  engine.publish(record, 'destroy')
  const outcome = { exitCode: record.exitCode }
  live.console.end()
  live.exit.resolve(outcome)
  live.removed.resolve(outcome)
  const cleaning = live.cleaning
  engine.drop(record.id)
  engine.background(cleaning.then(() => collect(engine, garbage)))
}

/** Deletes the remains of a removed container. What fails is tried again at the next start of the daemon. */
export async function collect(engine: Engine, garbage: Garbage): Promise<void> {
  const { id } = garbage
  try {
    // Where the container ended in peace, the runtime has let go of it already.
    if (existsSync(join(engine.dirs.runtime, id))) await engine.runtime.delete(id)
    umountIfMounted(join(engine.bundle(id), 'shm'))
    await engine.snapshots.remove(id)
    if (garbage.removeVolumes) await engine.volumes.removeAnonymous(id)
    engine.exits.clear(id)
    await removeTree(engine.bundle(id))
    engine.registry.forget(garbage)
  } catch (error) {
    engine.log.warn(`remains of container ${id.slice(0, 12)} were not removed: ${(error as Error).message}`)
  }
}
