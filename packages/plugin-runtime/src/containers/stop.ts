/** Ending a container by hand: stop and kill; and pause. @module */
import { conflict, failed, notModified } from '@kernel/contracts'
import type { Engine } from './engine.ts'
import { signalProcess } from './process-identity.ts'
import { type ContainerRecord, type Intent, isRunning } from './record.ts'
import { signalNumber } from './signals.ts'

const SIGKILL = 9
const DEFAULT_TIMEOUT_SEC = 10
/** How long a process may take to vanish after SIGKILL before that is called a failure. */
const KILL_GRACE_MS = 30_000

export interface StopOptions {
  signal?: string
  /** -1: wait for ever. */
  timeoutSec?: number
}

/** @throws not-modified where it does not run */
export async function stopContainer(engine: Engine, ref: string, options: StopOptions = {}): Promise<void> {
  const record = engine.registry.resolve(ref)
  if ((await stopRunning(engine, record, options)) === 'idle')
    throw notModified(`container ${record.id} is already stopped`)
}

/**
 * Stops what runs, or waits to be started again, and tells so.
 * @param kind what the stop is a part of
 * @returns `idle` where there was nothing to stop
 */
export async function stopRunning(
  engine: Engine,
  record: ContainerRecord,
  options: StopOptions,
  kind: 'stop' | 'restart' = 'stop',
): Promise<'idle' | 'stopped'> {
  const number = signalNumber(options.signal || record.config.StopSignal || 'SIGTERM')
  const begun = await engine.mutex.run(record.id, async () => {
    if (cancelRestart(engine, record)) return { exit: Promise.resolve() }
    if (!isRunning(record)) return undefined
    const exit: Promise<unknown> = engine.live(record).exit.promise
    const { timeoutSec } = options
    record.intent = { kind, ...(timeoutSec !== undefined && { timeoutSec }) }
    await sendSignal(engine, record, number, true)
    return { exit }
  })
  if (!begun) return 'idle'
  await finishStop(engine, record, begun.exit, options.timeoutSec)
  engine.publish(record, 'stop')
  return 'stopped'
}

/** A container that waits for its next start just stops waiting. */
function cancelRestart(engine: Engine, record: ContainerRecord): boolean {
  if (record.status !== 'restarting') return false
  engine.live(record).restart?.cancel()
  record.status = 'exited'
  record.manuallyStopped = true
  engine.registry.save(record)
  return true
}

async function finishStop(
  engine: Engine,
  record: ContainerRecord,
  exit: Promise<unknown>,
  timeoutSec = record.config.StopTimeout ?? DEFAULT_TIMEOUT_SEC,
): Promise<void> {
  if (timeoutSec < 0) {
    await exit
    return
  }
  if (await endsWithin(exit, timeoutSec * 1000)) return
  await killAndWait(engine, record)
}

/**
 * SIGKILL, and waits until the end is recorded.
 * @param intent what it is a part of, where that is not on record yet
 */
export async function killAndWait(engine: Engine, record: ContainerRecord, intent?: Intent): Promise<void> {
  const wait = await engine.mutex.run(record.id, async () => {
    if (cancelRestart(engine, record) || !isRunning(record)) return undefined
    const exit = engine.live(record).exit.promise
    if (intent) record.intent = intent
    await sendSignal(engine, record, SIGKILL, true)
    return { exit }
  })
  if (wait && !(await endsWithin(wait.exit, KILL_GRACE_MS)))
    throw failed(`container ${record.name} did not end within ${KILL_GRACE_MS / 1000} s after SIGKILL`)
}

/** @throws conflict where it does not run */
export async function killContainer(engine: Engine, ref: string, signal = 'SIGKILL'): Promise<void> {
  const number = signalNumber(signal)
  const record = engine.registry.resolve(ref)
  const wait = await engine.mutex.run(record.id, async () => {
    if (!isRunning(record))
      throw conflict(`cannot kill container: ${ref}: container ${record.id} is not running`)
    const stops = number === SIGKILL || number === signalNumber(record.config.StopSignal || 'SIGTERM')
    const exit = engine.live(record).exit.promise
    await sendSignal(engine, record, number, stops)
    return { exit }
  })
  if (number === SIGKILL) await endsWithin(wait.exit, DEFAULT_TIMEOUT_SEC * 1000)
}

/** @param final whether it is meant to end: then no restart policy brings it back */
async function sendSignal(
  engine: Engine,
  record: ContainerRecord,
  signal: number,
  final: boolean,
): Promise<void> {
  if (final && (record.intent || !record.manuallyStopped)) {
    record.manuallyStopped = true
    engine.registry.save(record)
  }
  if (record.process) signalProcess(record.process, signal)
  engine.publish(record, 'kill', { signal: String(signal) })
  if (record.status === 'paused' && final) {
    await setFrozen(engine, record, false)
    record.status = 'running'
    engine.registry.save(record)
  }
}

/** By the cgroup's own file, which costs microseconds; else through the OCI runtime. */
async function setFrozen(engine: Engine, record: ContainerRecord, frozen: boolean): Promise<void> {
  if (await engine.cgroup(record).setFrozen(frozen)) return
  await (frozen ? engine.runtime.pause(record.id) : engine.runtime.resume(record.id))
}

async function endsWithin(exit: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds)
  })
  try {
    return await Promise.race([exit.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}

export async function pauseContainer(engine: Engine, ref: string): Promise<void> {
  const record = engine.registry.resolve(ref)
  await engine.mutex.run(record.id, async () => {
    if (record.status === 'paused') throw conflict(`container ${record.id} is already paused`)
    if (record.status === 'restarting')
      throw conflict(`container ${record.id} is restarting, wait until the container is running`)
    if (record.status !== 'running') throw conflict(`container ${record.id} is not running`)
    await setFrozen(engine, record, true)
    record.status = 'paused'
    engine.registry.save(record)
    engine.publish(record, 'pause')
  })
}

export async function unpauseContainer(engine: Engine, ref: string): Promise<void> {
  const record = engine.registry.resolve(ref)
  await engine.mutex.run(record.id, async () => {
    if (record.status !== 'paused') throw conflict(`container ${record.id} is not paused`)
    await setFrozen(engine, record, false)
    record.status = 'running'
    engine.registry.save(record)
    engine.publish(record, 'unpause')
  })
}
