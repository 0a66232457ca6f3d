/** Time limits of a thread's connections, watched by one timer for all. @module */

/** What has a time limit. */
export interface Timed {
  /** Looks whether a limit has passed. @param now as of `performance.now()` */
  tick(now: number): void
}

/** How late a limit may be noticed. */
const TICK_MS = 100

/**
 * A timer for each request would cost more than the request. A connection enters once, and every tick it compares a
 * few numbers: ten thousand idle ones are a fraction of a millisecond.
 */
export class Clock {
  readonly #timed = new Set<Timed>()
  readonly #timer: NodeJS.Timeout

  constructor() {
    this.#timer = setInterval(() => {
      const now = performance.now()
      for (const timed of this.#timed) timed.tick(now)
    }, TICK_MS)
    this.#timer.unref()
  }

  add(timed: Timed): void {
    this.#timed.add(timed)
  }

  remove(timed: Timed): void {
    this.#timed.delete(timed)
  }

  close(): void {
    clearInterval(this.#timer)
  }
}
