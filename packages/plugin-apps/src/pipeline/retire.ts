/**
 * The way out of processes that serve no more: their requests end, then they do. It goes on in the background
 * while the pusher has its answer; what a kill leaves of it, the next start removes, since it is not among the
 * live processes of any record.
 * @module
 */
import { schedulerRegisterRetired, type Workload } from '@kernel/contracts'
import { KeyedMutex } from '@kernel/state'
import { ignoreMissing } from '../failure.ts'
import type { LogArchive } from '../log-archive.ts'
import type { Platform } from '../platform.ts'
import type { LiveProcess } from '../store/records.ts'

/** Seconds between SIGTERM and SIGKILL where the daemon itself is stopping. */
const hurriedTimeoutSec = 3

export class Retirer {
  readonly #platform: Platform
  readonly #archive: LogArchive
  readonly #names = new KeyedMutex()
  readonly #work = new Set<Promise<void>>()

  constructor(platform: Platform, archive: LogArchive) {
    this.#platform = platform
    this.#archive = archive
  }

  /**
   * Gives the live processes their names and retires `old`; returns at once.
   * @param afterwards called when the last is gone
   */
  retire(app: string, old: Workload[], waitSec: number, afterwards: () => unknown = () => {}): void {
    const work = (async () => {
      await this.#settleNames(app, old).catch((error) =>
        this.#platform.log.warn(`The processes of ${app} could not be named`, { app, error }),
      )
      await this.endAll(app, old, waitSec)
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

  /** Drains, stops and removes; resolves when all are gone. */
  async endAll(app: string, workloads: Workload[], waitSec: number): Promise<void> {
    const { router, call, log } = this.#platform
    for (const workload of workloads)
      await call(schedulerRegisterRetired, { app, workload }).catch((error) =>
        log.warn('A handler of scheduler-register-retired failed', { app, error }),
      )
    const targets = workloads.flatMap(({ id, address }) => (address === undefined ? [] : [id]))
    const drained =
      targets.length === 0
        ? Promise.resolve()
        : this.#unlessStopping(router.drain(targets, waitSec).then(() => router.cut(targets)))
    const ends = await Promise.allSettled(
      workloads.map(async (workload) => {
        // Only what visitors reach has something to finish first.
        if (workload.address !== undefined) await drained
        await this.#end(app, workload)
      }),
    )
    const failure = ends.find((end) => end.status === 'rejected')
    if (failure) throw failure.reason
  }

  async #end(app: string, workload: Workload): Promise<void> {
    const { scheduler, settings, signal, log } = this.#platform
    const timeoutSec = signal.aborted ? hurriedTimeoutSec : settings.stopTimeoutSec
    await scheduler.stop(workload.id, { timeoutSec }).catch(ignoreMissing)
    await this.#archive.keep(this.#platform, app, workload).catch((error) => {
      log.debug('The log of a retired process is not kept', { app, workload: workload.id, error })
    })
    await scheduler.remove(workload.id).catch(ignoreMissing)
  }

  /** `app.web.1` for those that serve; those before them are told apart by their id. */
  async #settleNames(app: string, old: Workload[]): Promise<void> {
    const { scheduler, store } = this.#platform
    await this.#names.run(app, async () => {
      const rename = (id: string, name: string) => scheduler.rename(id, name).catch(ignoreMissing)
      for (const { id, name } of old) await rename(id, `${name}.${id.slice(0, 12)}`)
      for (const live of store.findApp(app)?.live ?? []) {
        const name = liveName(app, live)
        const now = await scheduler.inspect(live.id).catch(() => undefined)
        if (now !== undefined && now.name !== name) await rename(live.id, name)
      }
    })
  }

  async #unlessStopping(wait: Promise<unknown>): Promise<void> {
    const { signal } = this.#platform
    const { promise: stopping, resolve } = Promise.withResolvers<void>()
    const stop = () => resolve()
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    await Promise.race([wait, stopping])
    signal.removeEventListener('abort', stop)
  }
}

export const liveName = (app: string, { type, index }: LiveProcess) => `${app}.${type}.${index}`
