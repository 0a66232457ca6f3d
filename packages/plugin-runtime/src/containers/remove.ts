/** Removing a container on request. @module */
import { conflict } from '@kernel/contracts'
import { remove } from './burial.ts'
import type { Engine } from './engine.ts'
import { type ContainerRecord, isRunning } from './record.ts'
import { killAndWait } from './stop.ts'

/** @throws not-found; conflict where it runs and `force` is not given */
export async function removeContainer(
  engine: Engine,
  ref: string,
  options: { force?: boolean; volumes?: boolean } = {},
): Promise<void> {
  const record = engine.registry.resolve(ref)
  if (record.status === 'removing' && !options.force)
    throw conflict(`removal of container ${ref} is already in progress`)
  // A start that was under way may have won: then once more.
  for (let gone = false; !gone; ) {
    if (isRunning(record) || record.status === 'restarting') {
      if (!options.force) throw conflict(refusal(record))
      await killAndWait(engine, record, { kind: 'remove', volumes: options.volumes === true })
    }
    gone = await engine.mutex.run(record.id, async () => {
      if (!engine.registry.get(record.id)) return true // removed by itself meanwhile
      if (isRunning(record)) return false
      await remove(engine, record, { volumes: options.volumes === true })
      return true
    })
  }
}

function refusal({ name, status }: ContainerRecord): string {
  if (status === 'paused')
    return `cannot remove container "/${name}": container is paused and must be unpaused first`
  return `cannot remove container "/${name}": container is ${status}: stop the container before removing or force remove`
}
