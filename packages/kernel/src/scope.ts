/**
 * The life of one plugin: what has to be undone when it stops, and the time it is given.
 *
 * @module
 */

/** Runs `work` for at most `ms` milliseconds, then rejects with `expired`. The work itself is not ended. */
export async function within<T>(ms: number, work: () => T | Promise<T>, expired: Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(expired), ms)
  })
  try {
    return await Promise.race([work(), timeout])
  } finally {
    clearTimeout(timer)
  }
}

type Cleanup = () => unknown

/** Cleanups, run last come first. One that throws or hangs never keeps another from running. */
export class Scope {
  readonly #controller = new AbortController()
  readonly #cleanups: Cleanup[] = []
  readonly #failed: (error: unknown) => void
  #closed = false

  /** @param failed hears of every cleanup that fails, also of those nobody waits for any more. */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }

  /** Aborted when closing begins. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** True once every cleanup has at least begun. */
  get closed(): boolean {
    return this.#closed
  }

  /** After the scope has closed, the cleanup runs at once. */
  defer(cleanup: Cleanup): void {
    if (this.#closed) void this.#run(cleanup)
    else this.#cleanups.push(cleanup)
  }

  /** Runs the cleanups for at most `ms`; those still left then are begun, and `expired` is told. */
  async close(ms: number, expired: Error): Promise<void> {
    this.#controller.abort()
    try {
      await within(ms, () => this.#runAll(), expired)
    } catch (error) {
      this.#failed(error)
      while (this.#cleanups.length > 0) void this.#run(this.#cleanups.pop() as Cleanup)
      this.#closed = true
    }
  }

  async #runAll(): Promise<void> {
    while (this.#cleanups.length > 0) await this.#run(this.#cleanups.pop() as Cleanup)
    this.#closed = true
  }

  async #run(cleanup: Cleanup): Promise<void> {
    try {
      await cleanup()
    } catch (error) {
      this.#failed(error)
    }
  }
}
