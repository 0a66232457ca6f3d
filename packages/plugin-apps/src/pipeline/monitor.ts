/**
 * Watches the live processes: one that dies leaves the routes, one that was started again comes back when its
 * port answers. Driven by the events of the engine, whose actor is the workload's id, and by the scheduler's
 * `wait` where a driver publishes none.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Workload } from '@kernel/contracts'
import type { Platform } from '../platform.ts'
import { checkSettings, hostHeaderOf, questionOf } from './check.ts'
import { connectMs, probePort, retry } from './probe.ts'
import { liveWorkloads, type RoutePublisher } from './routes.ts'

/** Between two looks at a process that is about to be started again. */
const restartPollMs = 250

export type ProcessListener = (app: string) => void

export class Monitor {
  readonly #platform: Platform
  readonly #routes: RoutePublisher
  /** Workload id -> app. */
  readonly #apps = new Map<string, string>()
  /** Restarts already known, by workload id. */
  readonly #restarts = new Map<string, number>()
  readonly #looking = new Map<string, { again: boolean }>()
  /** Processes that are waited for, by app. */
  readonly #expected = new Map<string, Set<Promise<void>>>()
  readonly #listeners = new Set<ProcessListener>()
  readonly #work = new Set<Promise<void>>()
  /** Workloads whose end is waited for. */
  readonly #awaited = new Set<string>()

  constructor(platform: Platform, routes: RoutePublisher) {
    this.#platform = platform
    this.#routes = routes
  }

  /** Reads the engine's events until the plugin stops. */
  start(): void {
    const { events, signal, log } = this.#platform
    this.#track(
      (async () => {
        for await (const { Type, Actor } of events.subscribe({ signal })) {
          if (Type === 'app' || Type === 'deploy') continue
          const app = this.#apps.get(Actor.ID)
          if (app !== undefined) this.#look(app)
        }
      })().catch((error) => {
        if (!signal.aborted)
          log.error('Processes are no longer watched: the stream of events failed', { error })
      }),
    )
  }

  /** Takes up the live processes of an app as they are in its record now, and tells the listeners. */
  watch(name: string): void {
    const live = this.#platform.store.findApp(name)?.live ?? []
    for (const [id, app] of this.#apps)
      if (app === name && !live.some((process) => process.id === id)) {
        this.#apps.delete(id)
        this.#restarts.delete(id)
        this.#routes.forget(id)
      }
    for (const { id } of live) {
      if (this.#apps.has(id)) continue
      this.#apps.set(id, name)
      this.#await(id)
    }
    this.#tell(name)
    // What happened between the check and now has no event left to tell it.
    if (live.length > 0) this.#look(name)
  }

  #await(id: string): void {
    if (this.#awaited.has(id)) return
    this.#awaited.add(id)
    this.#track(this.#awaitEnd(id).finally(() => this.#awaited.delete(id)))
  }

  /** A driver need not publish events: the end of a process shows here too, if later. */
  async #awaitEnd(id: string): Promise<void> {
    const { scheduler, signal } = this.#platform
    while (!signal.aborted) {
      const { promise: stopping, resolve } = Promise.withResolvers<void>()
      const stop = () => resolve()
      signal.addEventListener('abort', stop, { once: true })
      const ended = scheduler.wait(id, signal).then(stop, stop)
      await Promise.race([ended, stopping])
      signal.removeEventListener('abort', stop)
      const app = this.#apps.get(id)
      if (signal.aborted || app === undefined) return
      this.#look(app)
      const now = await scheduler.inspect(id).catch(() => undefined)
      if (now === undefined || now.status === 'exited') return
      await sleep(restartPollMs, undefined, { signal }).catch(() => {})
    }
  }

  forget(name: string): void {
    for (const [id, app] of this.#apps) if (app === name) this.#apps.delete(id)
    this.#tell(name)
  }

  /** `listener` hears when the processes of an app have changed. */
  onChange(listener: ProcessListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves when nothing is being looked at. The subscription ends by the plugin's signal. */
  async idle(): Promise<void> {
    while (this.#looking.size > 0) await new Promise((resolve) => setImmediate(resolve))
  }

  async stopped(): Promise<void> {
    await Promise.allSettled(this.#work)
  }

  #tell(app: string): void {
    for (const listener of this.#listeners) listener(app)
  }

  /** Many events at once are one look, and one more for what came during it. */
  #look(name: string): void {
    const running = this.#looking.get(name)
    if (running) {
      running.again = true
      return
    }
    const state = { again: true }
    this.#looking.set(name, state)
    this.#track(
      (async () => {
        while (state.again && !this.#platform.signal.aborted) {
          state.again = false
          await this.#settle(name).catch(async (error) => {
            const { signal, log } = this.#platform
            if (signal.aborted) return
            // Routes that lead to what is gone are worse than a late look.
            state.again = true
            log.warn(`The routes of ${name} could not be refreshed`, { app: name, error })
            await sleep(restartPollMs, undefined, { signal }).catch(() => {})
          })
        }
      })().finally(() => {
        this.#looking.delete(name)
        if (state.again && !this.#platform.signal.aborted) this.#look(name)
      }),
    )
  }

  async #settle(name: string): Promise<void> {
    const app = this.#platform.store.findApp(name)
    if (app === undefined || app.destroying) return
    for (const workload of await liveWorkloads(this.#platform, app)) {
      // One that is about to be started again counts its restart before it runs.
      if (workload.status !== 'running') continue
      const known = this.#restarts.get(workload.id) ?? 0
      this.#restarts.set(workload.id, workload.restartCount)
      if (workload.restartCount > known) this.expect(name, workload)
    }
    await this.#routes.refresh(name)
    this.#tell(name)
  }

  /** A process that was started again is no target before its port answers and its readiness checks pass. */
  expect(name: string, workload: Workload): void {
    const { store, settings, signal, scheduler } = this.#platform
    const { id, address, processType } = workload
    const app = store.findApp(name)
    if (this.#apps.has(id)) this.#await(id)
    if (app === undefined || address === undefined) return
    const release = app.current === undefined ? undefined : store.findRelease(name, app.current)
    const hostHeader = hostHeaderOf(this.#routes.domains(app), name)
    const questions = app.checks.enabled
      ? (release?.healthchecks[processType] ?? [])
          .filter(({ type, warn }) => type === 'readiness' && !warn)
          .map((check) => questionOf(scheduler, workload, check, hostHeader))
      : []
    const { timeout } = checkSettings(app, settings)
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeout * 1000)])
    this.#routes.markNotReady(id, 'starting')
    const ready = async (s: AbortSignal) => {
      for (const ask of questions) await ask?.(s)
    }
    const answers = retry((s) => probePort(address, s), { attemptMs: connectMs }, limit)
      .then(() => retry(ready, { attemptMs: settings.attemptTimeoutSec * 1000 }, limit))
      .catch(() => {})
      // Even where it never answered: a target that refuses is better news than a request that hangs.
      .then(() => {
        if (this.#routes.markReady(id, 'starting') && this.#apps.has(id)) this.#look(name)
      })
    const expected = this.#expected.get(name) ?? new Set()
    this.#expected.set(name, expected.add(answers))
    this.#track(answers.finally(() => expected.delete(answers)))
  }

  /** Resolves when every process of an app that was expected has answered, or has had its time. */
  async settled(name: string): Promise<void> {
    await Promise.all(this.#expected.get(name) ?? [])
  }

  #track(work: Promise<void>): void {
    this.#work.add(work)
    void work.finally(() => this.#work.delete(work))
  }
}
