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

  /** @param onError hears of a tick that failed; the others go on */
  constructor(onError: (error: Error) => void) {
    this.#timer = setInterval(() => {
      const now = performance.now()
      for (const timed of this.#timed)
        try {
          timed.tick(now)
        } catch (error) {
          onError(error as Error)
        }
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
