/** Output on its way to one reader. @module */
import type { OutputChunk } from '@kernel/contracts'

/** A queue with one reader. It holds what was pushed until it is read; how much that may be, its writer decides. */
export interface OutputQueue extends AsyncIterable<OutputChunk> {
  push(chunk: OutputChunk): void
  /** After this the reader gets what is left, then the end (or the error). */
  end(error?: Error): void
  /** Bytes that wait. */
  readonly waiting: number
}

/**
 * @param onRead called after the reader took something
 * @param onReturn called once when the reader stops early
 */
export function createOutputQueue(onRead: () => void, onReturn: () => void): OutputQueue {
  const chunks: OutputChunk[] = []
  let waiting = 0
  let over: { error?: Error } | undefined
  let wake: (() => void) | undefined

  async function* read(): AsyncGenerator<OutputChunk> {
    try {
      for (;;) {
        const chunk = chunks.shift()
        if (chunk) {
          waiting -= chunk.data.length
          onRead()
          yield chunk
        } else if (over) {
          if (over.error) throw over.error
          return
        } else {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      }
    } finally {
      onReturn()
    }
  }
  const iterator = read()

  return {
    push: (chunk) => {
      if (over) return
      chunks.push(chunk)
      waiting += chunk.data.length
      wake?.()
    },
    end: (error) => {
      over ??= { error }
      wake?.()
    },
    get waiting() {
      return waiting
    },
    [Symbol.asyncIterator]: () => iterator,
  }
}
