/** Runs `work` for at most `ms` milliseconds, then rejects with `expired`. The work itself is not ended. */
export async function within<T>(ms: number, work: () => T | Promise<T>, expired: Error): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(expired), ms)
  try {
    return await Promise.race([work(), promise])
  } finally {
    clearTimeout(timer)
  }
}

type Cleanup = () => unknown

/** What has to be undone when a plugin stops, last come first. Nothing that throws or hangs keeps the rest back. */
export class Scope {
  readonly #controller = new AbortController()
  readonly #cleanups: Cleanup[] = []
  readonly #failed: (error: unknown) => void
  /** Aborted when closing begins. */
  readonly signal: AbortSignal = this.#controller.signal
  /** True once every cleanup has at least begun. */
  closed = false

  /** @param failed hears of every cleanup that fails, also of those nobody waits for any more. */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }

  /** After the scope has closed, the cleanup runs at once. */
  defer(cleanup: Cleanup): void {
    if (this.closed) void this.#run(cleanup)
    else this.#cleanups.push(cleanup)
  }

  /** Runs the cleanups for at most `ms`. Those still left then are begun, and the answer is false. */
  async close(ms: number): Promise<boolean> {
    this.#controller.abort()
    try {
      await within(ms, () => this.#runAll(), new Error(`not closed in ${ms} ms`))
      return true
    } catch {
      while (this.#cleanups.length > 0) void this.#run(this.#cleanups.pop() as Cleanup)
      this.closed = true
      return false
    }
  }

  async #runAll(): Promise<void> {
    while (this.#cleanups.length > 0) await this.#run(this.#cleanups.pop() as Cleanup)
    this.closed = true
  }

  async #run(cleanup: Cleanup): Promise<void> {
    try {
      await cleanup()
    } catch (error) {
      this.#failed(error)
    }
  }
}
