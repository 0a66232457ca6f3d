/**
 * Which target is busy with how many requests: counted in memory that all threads share, so that the choice of a
 * target and a drain see every thread at once and no message is under way.
 * @module
 */

/** Targets that can be known at one time, those that still drain included. */
export const MAX_TARGETS = 65_536

// Words before the counts. The counts follow: one row a thread, one word a target, so that a thread that dies takes
// its requests with it and its row can be set to zero.
const CHANGES = 0
const DRAINS = 1
const READY = 2
const HEADER_WORDS = 16

export class InFlight {
  readonly memory: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #threads: number

  /** @param memory of another thread's InFlight, to share its counts; else fresh memory for `threads` threads */
  constructor(threads: number, memory?: SharedArrayBuffer) {
    this.#threads = threads
    this.memory = memory ?? new SharedArrayBuffer(4 * (HEADER_WORDS + threads * MAX_TARGETS))
    this.#words = new Int32Array(this.memory)
  }

  enter(thread: number, slot: number): void {
    Atomics.add(this.#words, this.#at(thread, slot), 1)
  }

  /** Ends what `enter` began, and wakes whoever drains. */
  leave(thread: number, slot: number): void {
    Atomics.sub(this.#words, this.#at(thread, slot), 1)
    if (Atomics.load(this.#words, DRAINS) > 0) this.#announce()
  }

  /** Requests in flight to a target, over all threads. */
  count(slot: number): number {
    let sum = 0
    for (let thread = 0; thread < this.#threads; thread++)
      sum += Atomics.load(this.#words, this.#at(thread, slot))
    return sum
  }

  /** Forgets what a thread that has ended was busy with. */
  reset(thread: number): void {
    const start = this.#at(thread, 0)
    for (let word = start; word < start + MAX_TARGETS; word++) Atomics.store(this.#words, word, 0)
    this.#announce()
  }

  /** Resolves when nothing is in flight to any of the slots, or after the time, with what is left. */
  async idle(slots: readonly number[], timeoutMs: number): Promise<number> {
    const deadline = performance.now() + timeoutMs
    Atomics.add(this.#words, DRAINS, 1)
    try {
      for (;;) {
        // Read before the counts: a request that ends between the two changes it, and the wait returns at once.
        const changes = Atomics.load(this.#words, CHANGES)
        const open = slots.reduce((sum, slot) => sum + this.count(slot), 0)
        const left = deadline - performance.now()
        if (open === 0 || left <= 0) return open
        await Atomics.waitAsync(this.#words, CHANGES, changes, left).value
      }
    } finally {
      Atomics.sub(this.#words, DRAINS, 1)
    }
  }

  /** Whether the first routes are in the table, so that visitors may be answered. */
  get ready(): boolean {
    return Atomics.load(this.#words, READY) === 1
  }

  setReady(): void {
    Atomics.store(this.#words, READY, 1)
  }

  #announce(): void {
    Atomics.add(this.#words, CHANGES, 1)
    Atomics.notify(this.#words, CHANGES)
  }

  #at(thread: number, slot: number): number {
    return HEADER_WORDS + thread * MAX_TARGETS + slot
  }
}
