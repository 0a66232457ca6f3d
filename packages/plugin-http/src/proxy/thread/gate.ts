/** Where requests wait for a change of the route table. @module */

/** How a wait ended: routes have changed, the time is up, too many wait already, or the edge is closing. */
export type Outcome = 'changed' | 'timeout' | 'full' | 'closing'

/** What a gate needs of the route table's reader. */
export interface Watched {
  generation(): number
  waitForChange(generation: number, timeoutMs: number): Promise<boolean>
}

interface Waiter {
  generation: number
  timer: NodeJS.Timeout
  done(outcome: Outcome): void
}

const LONGEST_WAIT_MS = 60_000

/** All requests of a thread that wait share one watch over the table, however many they are. */
export class Gate {
  readonly #table: Watched
  readonly #max: number
  readonly #waiters = new Set<Waiter>()
  #watching = false
  #closing = false

  constructor(table: Watched, max: number) {
    this.#table = table
    this.#max = max
  }

  get held(): number {
    return this.#waiters.size
  }

  /**
   * Calls `done` once: as soon as the table is no longer that of `generation`, or when waiting is over. What is
   * returned gives the wait up.
   */
  wait(generation: number, timeoutMs: number, done: (outcome: Outcome) => void): () => void {
    const refusal = this.#closing ? 'closing' : this.#waiters.size >= this.#max ? 'full' : undefined
    if (refusal) {
      queueMicrotask(() => done(refusal))
      return () => {}
    }
    const timer = setTimeout(() => this.#release(waiter, 'timeout'), timeoutMs)
    const waiter: Waiter = { generation, timer, done }
    this.#waiters.add(waiter)
    if (!this.#watching) void this.#watch()
    return () => {
      clearTimeout(timer)
      this.#waiters.delete(waiter)
    }
  }

  /** Lets all go, and nobody waits any more. */
  close(): void {
    this.#closing = true
    for (const waiter of [...this.#waiters]) this.#release(waiter, 'closing')
  }

  async #watch(): Promise<void> {
    this.#watching = true
    while (this.#waiters.size > 0) {
      const generation = this.#table.generation()
      for (const waiter of [...this.#waiters])
        if (waiter.generation !== generation) this.#release(waiter, 'changed')
      if (this.#waiters.size > 0) await this.#table.waitForChange(generation, LONGEST_WAIT_MS)
    }
    this.#watching = false
  }

  #release(waiter: Waiter, outcome: Outcome): void {
    if (!this.#waiters.delete(waiter)) return
    clearTimeout(waiter.timer)
    waiter.done(outcome)
  }
}
