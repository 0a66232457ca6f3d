/** Waiting for a container's end. @module */
import type { ContainerExit } from '@kernel/contracts'
import { invalid } from '@kernel/contracts'
import type { Engine } from './engine.ts'
import { type ContainerRecord, isRunning } from './record.ts'

/** Registered when it returns; @throws not-found, invalid; rejects with the signal's reason */
export function waitFor(
  engine: Engine,
  ref: string,
  condition: string = 'not-running',
  signal?: AbortSignal,
): Promise<ContainerExit> {
  const record = engine.registry.resolve(ref)
  const live = engine.live(record)
  if (condition === 'removed') return orAborted(live.removed.promise, signal)
  if (condition === 'next-exit') return orAborted(live.exit.promise, signal)
  if (condition !== 'not-running') throw invalid(`invalid condition: "${condition}"`)
  if (isRunning(record) || record.status === 'restarting')
    return orAborted(notRunning(engine, record), signal)
  return Promise.resolve({ exitCode: record.exitCode })
}

/** A restart policy makes an end a pause: only the last one counts. */
async function notRunning(engine: Engine, record: ContainerRecord): Promise<ContainerExit> {
  for (;;) {
    const outcome = await engine.live(record).exit.promise
    if (!engine.registry.get(record.id) || !(isRunning(record) || record.status === 'restarting'))
      return outcome
  }
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
