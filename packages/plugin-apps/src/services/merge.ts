/** Streams that come and go, read as one. @module */

export interface Merge<T> {
  /** Reads a stream along with the others; `ended` is called when it ends, well or badly. */
  add(stream: AsyncIterable<T>, ended: () => void): void
  end(): void
  /** Ends by `end` or by the signal. A slow reader slows the streams down. */
  values(): AsyncGenerator<T>
}

/** Values that wait for a slow reader, beyond which the streams wait too. */
const mostWaiting = 1000

export function createMerge<T>(signal: AbortSignal): Merge<T> {
  const waiting: T[] = []
  let over = signal.aborted
  let more = Promise.withResolvers<void>()
  let less = Promise.withResolvers<void>()
  const wake = () => {
    more.resolve()
    more = Promise.withResolvers()
  }
  const end = () => {
    over = true
    wake()
    less.resolve()
  }
  signal.addEventListener('abort', end, { once: true })

  async function pump(stream: AsyncIterable<T>): Promise<void> {
    for await (const value of stream) {
      if (over) return
      waiting.push(value)
      wake()
      while (waiting.length >= mostWaiting && !over) await less.promise
    }
  }

  return {
    add(stream, ended) {
      // The end of one stream, whatever the reason, is no end of the others.
      void pump(stream)
        .catch(() => {})
        .finally(ended)
    },
    end,
    async *values() {
      for (;;) {
        const next = waiting.shift()
        if (next !== undefined) {
          less.resolve()
          less = Promise.withResolvers()
          yield next
        } else if (over) return
        else await more.promise
      }
    },
  }
}
