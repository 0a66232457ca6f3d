/** Has the pieces of large bodies collected in time. @module */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes of pieces that may lie about. */
const LIMIT = 12 << 20
/** Smaller pieces leave so much on the heap that it is collected often enough. */
const LARGE = 4096

type Collect = (options: { type: 'minor' }) => void

/**
 * A piece of a body is a small object on the heap, and 64 KiB outside of it. V8 collects young objects by how full its
 * heap is, by which time a hundred megabytes can lie outside; so it is asked to after every few megabytes. What is
 * young and alive is little, so that takes a fraction of a millisecond.
 */
export class Collector {
  readonly #collect: Collect
  #bytes = 0

  constructor() {
    // The function is there in contexts that begin after this. The flag is the whole process's and stays on: whoever
    // took it back would take it from a thread that starts just now.
    setFlagsFromString('--expose-gc')
    this.#collect = runInNewContext('gc') as Collect
  }

  /** Takes note of a piece that passes. */
  passed(size: number): void {
    if (size < LARGE) return
    this.#bytes += size
    if (this.#bytes < LIMIT) return
    this.#bytes = 0
    this.#collect({ type: 'minor' })
  }
}
