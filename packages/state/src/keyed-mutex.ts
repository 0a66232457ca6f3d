/**
 * One at a time for each key, in the order of asking, within this process. Work on different keys runs side
 * by side.
 */
export class KeyedMutex {
  private readonly tails = new Map<string, Promise<void>>()

  /**
   * Waits until all earlier work on `key` has ended, well or badly, and runs `fn`. Not reentrant: asking for
   * a key inside its own `fn` waits for ever.
   * @param options.signal gives up waiting; work that has begun is not touched
   */
  async run<T>(key: string, fn: () => T | Promise<T>, options: { signal?: AbortSignal } = {}): Promise<T> {
    const before = this.tails.get(key)
    const { promise: done, resolve: release } = Promise.withResolvers<void>()
    // Who gives up waiting lets go early, but those behind still wait for those before.
    const tail = before ? before.then(() => done) : done
    this.tails.set(key, tail)
    tail.then(() => {
      if (this.tails.get(key) === tail) this.tails.delete(key)
    })
    try {
      if (before) await unlessAborted(before, options.signal)
      return await fn()
    } finally {
      release()
    }
  }

  /** Whether work on `key` runs or waits. */
  isLocked(key: string): boolean {
    return this.tails.has(key)
  }
}

/** @throws the signal's reason when it comes first */
async function unlessAborted(wait: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return wait
  signal.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort)
  try {
    await Promise.race([wait, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
