/**
 * The way out of processes that serve no more: their requests end, then they do. It goes on in the background
 * while the pusher has its answer; what a kill leaves of it, the next start removes, since it is not among the
 * live processes of any record.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { schedulerRegisterRetired, type Workload } from '@kernel/contracts'
import { KeyedMutex } from '@kernel/state'
import { ignoreMissing } from '../failure.ts'
import type { LogArchive } from '../log-archive.ts'
import type { Platform } from '../platform.ts'
import type { AppRecord, FrozenRelease, LiveProcess } from '../store/records.ts'
import { type Freezer, heldIds } from './freezer.ts'
import { liveWorkloads } from './routes.ts'

/** Seconds between SIGTERM and SIGKILL where the daemon itself is stopping. */
const hurriedTimeoutSec = 3

/** Milliseconds before each further try to end a process. */
const retryPausesMs = [100, 1_000, 5_000]

export class Retirer {
  readonly #platform: Platform
  readonly #archive: LogArchive
  readonly #freezer: Freezer
  readonly #names = new KeyedMutex()
  readonly #work = new Set<Promise<void>>()

  constructor(platform: Platform, archive: LogArchive, freezer: Freezer) {
    this.#platform = platform
    this.#archive = archive
    this.#freezer = freezer
  }

  /**
   * Gives the live processes their names and retires `old`; returns at once. Those that the record keeps in the
   * freezer are frozen when their requests have ended, the others end.
   * @param before the record before the switch: what was in the freezer then, and is not now, ends as well
   * @param afterwards called when the last is gone
   */
  retire(
    app: string,
    old: Workload[],
    before: AppRecord,
    waitSec: number,
    afterwards: () => unknown = () => {},
  ): void {
    const work = (async () => {
      await this.#settleNames(app, old).catch((error) =>
        this.#platform.log.warn(`The processes of ${app} could not be named`, { app, error }),
      )
      await this.endAll(app, [...old, ...(await this.#insist(() => this.evicted(before)))], waitSec)
      await afterwards()
    })().catch((error) => {
      if (!this.#platform.signal.aborted)
        this.#platform.log.warn(`Retiring processes of ${app} failed; the next start removes them`, {
          app,
          error,
        })
    })
    this.#work.add(work)
    void work.finally(() => this.#work.delete(work))
  }

  /** Resolves when nothing is on its way out. */
  async idle(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work)
  }

  /** Ends what is left of a release of which a process has ended in the freezer. */
  watchFreezer(): void {
    const { signal, log } = this.#platform
    const lost = async (app: string, lost: string) => {
      log.warn(`A process of ${app} ${lost} ended in the freezer; the release is not kept there`, { app })
      await this.evict(app, ({ release }) => release === lost).catch((error) =>
        log.warn(`What is left of ${app} ${lost} could not be removed`, { app, error }),
      )
    }
    this.#freezer.watch(lost).catch((error) => {
      if (!signal.aborted) log.error('The freezer is no longer watched', { error })
    })
  }

  /** Takes releases out of the freezer, and ends what stood there; resolves when all are gone. */
  async evict(app: string, which: (frozen: FrozenRelease) => boolean): Promise<void> {
    // Not while one of them comes back: what is live by then is not ended.
    const before = await this.#freezer.exclusively(app, async () => {
      const record = this.#platform.store.findApp(app)
      this.#freezer.forget(app, which)
      return record
    })
    if (before) await this.endAll(app, await this.evicted(before), 0)
  }

  /** What stood in the freezer `before`, and is neither there nor live any more. */
  async evicted(before: AppRecord): Promise<Workload[]> {
    const now = this.#platform.store.findApp(before.name)
    const still = heldIds(now)
    for (const { id } of now?.live ?? []) still.add(id)
    const live = (before.frozen ?? [])
      .flatMap(({ processes }) => processes)
      .filter(({ id }) => !still.has(id))
    return liveWorkloads(this.#platform, { ...before, live })
  }

  /** Drains, then stops and removes, or freezes what the record keeps; resolves when all is done. */
  async endAll(app: string, workloads: Workload[], waitSec: number): Promise<void> {
    const { call, log } = this.#platform
    for (const workload of workloads)
      await call(schedulerRegisterRetired, { app, workload }).catch((error) =>
        log.warn('A handler of scheduler-register-retired failed', { app, error }),
      )
    // What is in the record now counts: a rollback may want it back, or another switch may have taken its place.
    const ids = heldIds(this.#platform.store.findApp(app))
    const held = new Set(workloads.map(({ id }) => id).filter((id) => ids.has(id)))
    const targets = workloads.flatMap(({ id, address }) => (address === undefined ? [] : [id]))
    const drained: Promise<{ open: number } | undefined> =
      targets.length === 0
        ? Promise.resolve(undefined)
        : this.#unlessStopping(this.#drain(app, targets, waitSec))
    const ends = await Promise.allSettled(
      workloads.map(async (workload) => {
        // Only what visitors reach has something to finish first.
        if (workload.address !== undefined) await drained
        if (!held.has(workload.id)) await this.#end(app, workload)
      }),
    )
    if (held.size > 0) await this.#freeze(app, held, await drained)
    const failure = ends.find((end) => end.status === 'rejected')
    if (failure) throw failure.reason
  }

  /** Lets requests end within the time, and cuts what has no end of its own. Whatever fails here, the old ends. */
  async #drain(app: string, targets: string[], waitSec: number): Promise<{ open: number } | undefined> {
    const { router, log } = this.#platform
    try {
      await router.drain(targets, waitSec)
      await router.cut(targets)
      return await router.drain(targets, 0)
    } catch (error) {
      log.warn(`Retired processes of ${app} could not be drained`, { app, error })
      return undefined
    }
  }

  /** Connections that are still open would hang in the freezer: such a release ends like any other. */
  async #freeze(app: string, held: Set<string>, drained: { open: number } | undefined): Promise<void> {
    const { signal, log } = this.#platform
    // A daemon that stops leaves them running; the next start freezes them.
    if (signal.aborted) return
    const isHeld = ({ processes }: FrozenRelease) => processes.some(({ id }) => held.has(id))
    if ((drained?.open ?? 0) > 0) {
      log.info(`A release of ${app} is not kept in the freezer: visitors are still connected to it`, { app })
      await this.evict(app, isHeld)
      return
    }
    try {
      await this.#freezer.settle(app, held)
    } catch (error) {
      log.warn(`A release of ${app} could not be frozen`, { app, error })
      await this.evict(app, isHeld)
    }
  }

  async #end(app: string, workload: Workload): Promise<void> {
    const { scheduler, settings, signal, log } = this.#platform
    const timeoutSec = signal.aborted ? hurriedTimeoutSec : settings.stopTimeoutSec
    await this.#insist(() => scheduler.stop(workload.id, { timeoutSec }).catch(ignoreMissing))
    await this.#archive.keep(this.#platform, app, workload).catch((error) => {
      log.debug('The log of a retired process is not kept', { app, workload: workload.id, error })
    })
    await this.#insist(() => scheduler.remove(workload.id).catch(ignoreMissing))
  }

  /** An old worker that is not ended would go on doing the new one's work; so it is tried more than once. */
  async #insist<T>(attempt: () => Promise<T>): Promise<T> {
    const { signal } = this.#platform
    for (const pauseMs of signal.aborted ? [] : retryPausesMs)
      try {
        return await attempt()
      } catch {
        await sleep(pauseMs, undefined, { signal }).catch(() => {})
      }
    return attempt()
  }

  /** `app.web.1` for those that serve; those before them are told apart by their id. */
  async #settleNames(app: string, old: Workload[]): Promise<void> {
    const { scheduler, store } = this.#platform
    await this.#names.run(app, async () => {
      const rename = (id: string, name: string) => scheduler.rename(id, name).catch(ignoreMissing)
      for (const { id, name } of old) {
        if (!name.endsWith(retiredName('', id))) await rename(id, retiredName(name, id))
      }
      for (const live of store.findApp(app)?.live ?? []) {
        const name = liveName(app, live)
        const now = await scheduler.inspect(live.id).catch(() => undefined)
        if (now !== undefined && now.name !== name) await rename(live.id, name)
      }
    })
  }

  async #unlessStopping<T>(wait: Promise<T>): Promise<T | undefined> {
    const { signal } = this.#platform
    const { promise: stopping, resolve } = Promise.withResolvers<void>()
    const stop = () => resolve()
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    try {
      return await Promise.race([wait, stopping.then(() => undefined)])
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }
}

/** Tells apart those that had the name before. */
export const retiredName = (name: string, id: string) => `${name}.${id.slice(0, 12)}`

export const liveName = (app: string, { type, index }: LiveProcess) => `${app}.${type}.${index}`
