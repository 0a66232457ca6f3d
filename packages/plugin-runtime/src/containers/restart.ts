/** Stop and start in one. @module */
import { conflict } from '@kernel/contracts'
import type { Engine } from './engine.ts'
import { isRunning } from './record.ts'
import { launch } from './start.ts'
import { type StopOptions, stopRunning } from './stop.ts'

/** Starts what was stopped, too. */
export async function restartContainer(
  engine: Engine,
  ref: string,
  options: StopOptions = {},
): Promise<void> {
  const record = engine.registry.resolve(ref)
  if (record.status === 'removing' || record.status === 'dead')
    throw conflict('container is marked for removal and cannot be started')
  // Meant to come back, so that it must not remove itself in between.
  const live = engine.live(record)
  live.keep = true
  try {
    await stopRunning(engine, record, options, 'restart')
  } finally {
    live.keep = false
  }
  await engine.mutex.run(record.id, async () => {
    if (isRunning(record)) return
    record.manuallyStopped = false
    await launch(engine, record)
  })
  engine.publish(record, 'restart')
}
