/** The routes of an app, and the one place that publishes them. @module */
import type { Route, Target, Workload } from '@kernel/contracts'
import { KeyedMutex } from '@kernel/state'
import { effectiveDomains } from '../domain-names.ts'
import { orGone } from '../failure.ts'
import type { Platform } from '../platform.ts'
import { processTypes } from '../source/procfile.ts'
import type { AppRecord } from '../store/records.ts'

/** Where a workload answers; only running ones do. */
export function targetsOf(workloads: Workload[]): Target[] {
  return workloads
    .filter(({ processType, status, address }) => processType === 'web' && status === 'running' && address)
    .map(({ id, address }) => ({ id, host: address?.host as string, port: address?.port as number }))
}

/** `up` with targets, `hold` while some are about to come, else `down`. */
export function routesFor(domains: string[], targets: Target[], coming = false): Route[] {
  const state = targets.length > 0 ? 'up' : coming ? 'hold' : 'down'
  return domains.map((host) => ({ host, path: '', state, targets }))
}

/** Publishes in turn for each app, so that a slow look at the processes never overwrites a newer switch. */
export class RoutePublisher {
  readonly #platform: Platform
  readonly #turns = new KeyedMutex()
  /** Processes that are left out, by the reasons why: started again and no answer yet, not ready, ... */
  readonly #notReady = new Map<string, Set<string>>()
  /** What the edge has of each app, as text. */
  readonly #published = new Map<string, string>()
  /** Apps whose processes are being started again: their requests wait rather than fail. */
  readonly #coming = new Set<string>()

  constructor(platform: Platform) {
    this.#platform = platform
  }

  domains(app: AppRecord): string[] {
    return effectiveDomains(app, this.#platform)
  }

  /**
   * The switch: publishes routes to `workloads`, then writes the records. Where writing fails, the routes of
   * before are published again. A kill between the two leaves the old records, and the next start goes by them:
   * nothing was acknowledged.
   */
  async switch(name: string, workloads: Workload[], commit: () => void): Promise<void> {
    await this.#turns.run(name, async () => {
      // Read here: domains may have changed since the deploy began.
      const app = this.#platform.store.app(name)
      await this.publish(name, this.#routesTo(app, workloads))
      try {
        commit()
      } catch (error) {
        await this.restore(name).catch((failure) =>
          this.#platform.log.error(`The routes of ${name} could not be taken back`, {
            app: name,
            error: failure,
          }),
        )
        throw error
      }
    })
  }

  /** Brings the routes in line with the records and the processes as they are now. */
  async refresh(name: string): Promise<void> {
    await this.#turns.run(name, () => this.restore(name))
  }

  /** Runs `change` in the turn of the app, with nothing published meanwhile. */
  async exclusively<T>(name: string, change: () => Promise<T>): Promise<T> {
    return this.#turns.run(name, change)
  }

  /** Leaves a process out of the routes until `markReady` for the same reason; `refresh` makes it count. */
  markNotReady(id: string, why: string): void {
    const reasons = this.#notReady.get(id) ?? new Set()
    this.#notReady.set(id, reasons.add(why))
  }

  /** Whether it had been left out for that reason. */
  markReady(id: string, why: string): boolean {
    const reasons = this.#notReady.get(id)
    const had = reasons?.delete(why) ?? false
    if (reasons?.size === 0) this.#notReady.delete(id)
    return had
  }

  isOut(id: string, why: string): boolean {
    return this.#notReady.get(id)?.has(why) ?? false
  }

  /** For a process that is live no more. */
  forget(id: string): void {
    this.#notReady.delete(id)
  }

  /** Holds requests of an app that has no process yet; `refresh` makes it count. */
  setComing(name: string, coming: boolean): void {
    if (coming) this.#coming.add(name)
    else this.#coming.delete(name)
  }

  /** Publishes what the records say; within `exclusively`. */
  async restore(name: string): Promise<void> {
    const { store } = this.#platform
    const app = store.findApp(name)
    if (app?.current === undefined || app.destroying) return this.withdraw(name)
    await this.publish(name, this.#routesTo(app, await liveWorkloads(this.#platform, app)))
  }

  /** Requests wait where a process is on its way, or will be ready again. */
  #routesTo(app: AppRecord, workloads: Workload[]): Route[] {
    const ready = workloads.filter(({ id }) => !this.#notReady.has(id))
    const coming =
      this.#coming.has(app.name) ||
      workloads.some(
        ({ id, processType, status }) =>
          processType === 'web' &&
          // Paused by hand, it may go on at any moment.
          (status === 'restarting' || status === 'frozen' || this.#notReady.has(id)),
      )
    return routesFor(this.domains(app), targetsOf(ready), coming)
  }

  /** What is published already is not published again; within `exclusively`. */
  async publish(name: string, routes: Route[]): Promise<void> {
    if (routes.length === 0) return this.withdraw(name)
    const text = JSON.stringify(routes)
    if (this.#published.get(name) === text) return
    this.#published.delete(name)
    await this.#platform.router.publish(name, routes)
    this.#published.set(name, text)
  }

  /** Within `exclusively`. */
  async withdraw(name: string): Promise<void> {
    this.#published.delete(name)
    await this.#platform.router.withdraw(name)
  }
}

/** The live processes as the scheduler sees them; those that are gone are left out. */
export async function liveWorkloads({ scheduler }: Platform, app: AppRecord): Promise<Workload[]> {
  const found = await Promise.all(app.live.map(({ id }) => scheduler.inspect(id).catch(orGone)))
  return found.filter((workload) => workload !== undefined)
}

/** Whether a release serves requests at all. */
export const hasWeb = (procfile: Record<string, string>) => processTypes(procfile).includes('web')
