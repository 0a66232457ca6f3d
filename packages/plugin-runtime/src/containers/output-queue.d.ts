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
export declare function createOutputQueue(onRead: () => void, onReturn: () => void): OutputQueue
