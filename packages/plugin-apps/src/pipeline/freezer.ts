/**
 * Releases that served and stand still since, with their memory, so that going back to one needs no start. The
 * record has them from the moment of the switch, before the first is frozen: what a kill leaves half done, the
 * next start finishes, and takes none of them for garbage.
 * @module
 */
import type { Workload } from '@kernel/contracts'
import { describeError } from '@kernel/kernel'
import { KeyedMutex } from '@kernel/state'
import type { Platform } from '../platform.ts'
import type { AppRecord, FrozenRelease } from '../store/records.ts'
import { processName } from './check.ts'

/** Most releases of an app that may stand in the freezer: each keeps its memory. */
export const mostFrozen = 5

export class Freezer {
  readonly #platform: Platform
  readonly #turns = new KeyedMutex()

  constructor(platform: Platform) {
    this.#platform = platform
  }

  /** Whether the driver can freeze at all. */
  get isAble(): boolean {
    const { freeze, thaw } = this.#platform.scheduler
    return freeze !== undefined && thaw !== undefined
  }

  /** Runs `work` while none of the app's processes is frozen or thawed by anyone else. */
  exclusively<T>(app: string, work: () => Promise<T>): Promise<T> {
    return this.#turns.run(app, work)
  }

  /**
   * What the freezer holds after a switch away from what is live in `record`.
   * @param parting the live processes as they are; only a release of which all run is worth keeping
   * @param thawed the release that comes back from the freezer
   */
  after(record: AppRecord, parting: Workload[], thawed?: string): FrozenRelease[] {
    if (!this.isAble) return []
    const kept = (record.frozen ?? []).filter(({ release }) => release !== thawed)
    const leaving = record.current === undefined ? undefined : frozenOf(record.current, record, parting)
    return [...(leaving ? [leaving] : []), ...kept].slice(0, record.keepFrozen ?? 0)
  }

  /** Freezes those of the app's frozen releases that the record still has; for after their drain. */
  async settle(app: string, ids: Set<string>): Promise<void> {
    const { store, scheduler } = this.#platform
    await this.exclusively(app, async () => {
      const held = heldIds(store.findApp(app))
      await Promise.all([...ids].filter((id) => held.has(id)).map((id) => scheduler.freeze?.(id)))
    })
  }

  /** Takes releases out of the record; their processes are the caller's to end. */
  forget(app: string, which: (frozen: FrozenRelease) => boolean): Set<string> {
    const { store } = this.#platform
    const gone = (store.findApp(app)?.frozen ?? []).filter(which)
    if (gone.length > 0)
      store.changeApp(app, (record) => {
        record.frozen = (record.frozen ?? []).filter((frozen) => !which(frozen))
      })
    return new Set(gone.flatMap(({ processes }) => processes.map(({ id }) => id)))
  }

  /**
   * Brings the freezer in line with the record after a start of the daemon: what a kill left running is frozen,
   * and a release that is not whole any more (after a reboot, say) is forgotten.
   */
  async recover(name: string): Promise<void> {
    const { store, scheduler, log } = this.#platform
    for (const frozen of store.findApp(name)?.frozen ?? []) {
      try {
        if (!this.isAble) throw new Error('this driver can not freeze')
        await this.inspect(frozen)
        await Promise.all(frozen.processes.map(({ id }) => scheduler.freeze?.(id)))
      } catch (error) {
        const { release } = frozen
        log.info(`${name} ${release} is no longer in the freezer: ${describeError(error)}`, { app: name })
        this.forget(name, (other) => other.release === release)
      }
    }
  }

  /**
   * Hears of processes that end in the freezer (the kernel was out of memory, say), until the plugin stops.
   * @param onLost ends what is left of that release
   */
  async watch(onLost: (app: string, release: string) => Promise<void>): Promise<void> {
    const { events, signal, store } = this.#platform
    for await (const { Action, Actor } of events.subscribe({ signal })) {
      if (Action !== 'die') continue
      for (const { name, frozen = [], destroying } of store.listApps())
        for (const { release, processes } of destroying ? [] : frozen)
          if (processes.some(({ id }) => id === Actor.ID)) await onLost(name, release)
    }
  }

  /** The processes of a release, all of which are as they were left. @throws where one is not */
  async inspect({ processes }: FrozenRelease): Promise<Workload[]> {
    return Promise.all(
      processes.map(async ({ id, startedAt }) => {
        const workload = await this.#platform.scheduler.inspect(id)
        const stands = workload.status === 'frozen' || workload.status === 'running'
        if (!stands || workload.startedAt !== startedAt)
          throw new Error(`${processName(workload)} has ended in the freezer`)
        return workload
      }),
    )
  }
}

/** A release that all of its processes stand for; undefined where one of them does not run. */
function frozenOf(release: string, { live }: AppRecord, workloads: Workload[]): FrozenRelease | undefined {
  const processes = live.flatMap((process) => {
    const found = workloads.find(({ id, status }) => id === process.id && status === 'running')
    return found ? [{ ...process, startedAt: found.startedAt }] : []
  })
  return live.length > 0 && processes.length === live.length ? { release, processes } : undefined
}

/** Ids of all workloads that an app has in the freezer. */
export const heldIds = (app: AppRecord | undefined): Set<string> =>
  new Set((app?.frozen ?? []).flatMap(({ processes }) => processes.map(({ id }) => id)))
