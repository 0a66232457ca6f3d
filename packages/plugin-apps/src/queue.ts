/**
 * One piece of work an app at a time, in the order of asking. A push that waits gives way to a newer one: what
 * nobody wants any more is not built.
 * @module
 */
import { Problem } from '@kernel/contracts'
import { shortRev } from './names.ts'

export interface Work {
  /** What runs, for those who wait: `the deploy of 3f2a91c`. */
  label: string
  /** By which `cancel` finds it; may be given only once it runs. */
  id?: string
  /** For a push: its commit. Only pushes supersede, and only pushes are superseded. */
  rev?: string
  /** Called where the work has to wait, with the label of what runs. */
  onWait?(running: string): void
}

/** A newer push took the place of this one while it waited. */
export class Superseded extends Problem {
  constructor(rev: string) {
    super('conflict', `superseded by a newer push ${shortRev(rev)}`)
  }
}

interface Job {
  readonly work: Work
  readonly controller: AbortController
  start(): void
  reject(reason: unknown): void
}

export class AppQueue {
  readonly #running = new Map<string, Job>()
  readonly #waiting = new Map<string, Job[]>()
  #closed: unknown
  #held = false

  /** Lets nothing begin until what is returned is called. */
  hold(): () => void {
    this.#held = true
    return () => {
      this.#held = false
      for (const app of [...this.#waiting.keys()]) if (!this.#running.has(app)) this.#next(app)
    }
  }

  /**
   * Runs `task` when everything before it has ended. Its signal is aborted by `cancel` and `abort`.
   * @throws Superseded; the reason of `cancel` or `abort` where it had not begun
   */
  run<T>(app: string, work: Work, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const job: Job = {
      work,
      controller: new AbortController(),
      reject,
      start: () => {
        this.#running.set(app, job)
        task(job.controller.signal)
          .then(resolve, reject)
          .finally(() => this.#next(app))
      },
    }
    if (work.rev !== undefined) this.#supersede(app, work.rev)
    const running = this.#running.get(app)
    if (running === undefined && !this.#held) job.start()
    else {
      this.#waiting.set(app, [...(this.#waiting.get(app) ?? []), job])
      work.onWait?.(running?.work.label ?? 'the start of the daemon')
    }
    return promise
  }

  isBusy(app: string): boolean {
    return this.#running.has(app)
  }

  /** Ends a piece of work: where it waits at once, where it runs by its signal. Whether there was such work. */
  cancel(id: string, reason: unknown): boolean {
    for (const [app, waiting] of this.#waiting) {
      const job = waiting.find((other) => other.work.id === id)
      if (job === undefined) continue
      this.#keep(app, (other) => other !== job)
      job.reject(reason)
      return true
    }
    const job = [...this.#running.values()].find((other) => other.work.id === id)
    job?.controller.abort(reason)
    return job !== undefined
  }

  /** Ends all work of an app. */
  abort(app: string, reason: unknown): void {
    const waiting = this.#waiting.get(app) ?? []
    this.#waiting.delete(app)
    for (const job of waiting) job.reject(reason)
    this.#running.get(app)?.controller.abort(reason)
  }

  /** Ends all work of all apps and takes no more. Resolves when nothing runs. */
  async close(reason: unknown): Promise<void> {
    this.#closed = reason
    for (const app of new Set([...this.#waiting.keys(), ...this.#running.keys()])) this.abort(app, reason)
    while (this.#running.size > 0) await this.#idle.promise
  }

  #idle = Promise.withResolvers<void>()

  #supersede(app: string, rev: string): void {
    const older = (this.#waiting.get(app) ?? []).filter((job) => job.work.rev !== undefined)
    this.#keep(app, (job) => job.work.rev === undefined)
    for (const job of older) job.reject(new Superseded(rev))
  }

  #keep(app: string, which: (job: Job) => boolean): void {
    const kept = (this.#waiting.get(app) ?? []).filter(which)
    if (kept.length > 0) this.#waiting.set(app, kept)
    else this.#waiting.delete(app)
  }

  #next(app: string): void {
    this.#running.delete(app)
    const next = this.#waiting.get(app)?.[0]
    if (next !== undefined) {
      this.#keep(app, (job) => job !== next)
      next.start()
    } else if (this.#running.size === 0) {
      this.#idle.resolve()
      this.#idle = Promise.withResolvers()
    }
  }
}
