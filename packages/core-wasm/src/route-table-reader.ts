/**
 * The reading side of the route table: one for each thread, over memory that all threads share.
 * @module
 */
import { threadId } from 'node:worker_threads'
import { RouteTableError } from './errors.ts'
import { bytesOf, type FastBuffer } from './load.ts'
import { MAX_KEY_BYTES, type RouteHit, routeModule } from './route.ts'
import type { WasmMemory } from './webassembly.ts'

/**
 * Looks up routes in a table that another thread publishes. A lookup takes no lock and makes no call to another
 * thread: a tenth of a microsecond in a small table, a third in one of 100,000 routes. A hit and its value always
 * come from one publication.
 *
 * @example
 * const reader = new RouteTableReader(workerData.memory, (json) => JSON.parse(json) as Target[])
 * reader.lookup('app.example.com', '/api/users?page=2')?.value
 */
export class RouteTableReader<T = string> {
  readonly memory: WasmMemory
  readonly #decode: (text: string) => T
  readonly #module: ReturnType<typeof routeModule>
  readonly #words: Int32Array
  readonly #scratch: number
  readonly #owner: number
  #bytes: FastBuffer
  #hits: Array<RouteHit<T> | undefined> = []
  #hitsOf = 0

  /**
   * @param memory the `memory` of the writer, passed through `workerData`
   * @param decode makes a value of a route's text, once for each route and publication; without it values are strings
   * @throws RouteTableError where the memory holds no table, or already serves 64 readers
   */
  constructor(
    memory: WasmMemory,
    ...[decode]: string extends T ? [((text: string) => T)?] : [(text: string) => T]
  ) {
    this.memory = memory
    this.#decode = decode ?? ((text) => text as T)
    this.#words = new Int32Array(memory.buffer)
    this.#bytes = bytesOf(memory)
    this.#module = routeModule(memory)
    const { magicAt, magic, ownersAt, readers, readerArea, readerBytes } = this.#module
    if (this.#words[magicAt >> 2] !== magic) {
      throw new RouteTableError(
        'not-a-table',
        'this memory holds no route table; pass RouteTableWriter.memory',
      )
    }
    let slot = 0
    // A slot names the thread that holds it, so that the writer can free what a dead thread held.
    while (
      slot < readers &&
      Atomics.compareExchange(this.#words, (ownersAt >> 2) + slot, 0, threadId + 1) !== 0
    ) {
      slot++
    }
    if (slot === readers) {
      throw new RouteTableError(
        'too-many-readers',
        `a route table serves ${readers} readers at most; close() those that are done`,
      )
    }
    this.#owner = (ownersAt >> 2) + slot
    this.#scratch = readerArea + slot * readerBytes
  }

  /**
   * The route of a request: exact host, then the longest wildcard, then the default host; within a host the longest
   * path prefix. A host without a fitting path yields to the next one.
   *
   * @param host in any case, without port; one final dot is ignored. Beyond 8192 characters nothing is found.
   * @param path of any length, with or without its query
   */
  lookup(host: string, path: string): RouteHit<T> | undefined {
    if (host.length > MAX_KEY_BYTES) return undefined
    // A prefix ends at 8192 bytes at the latest, so what comes after cannot change the answer.
    const head = path.length > MAX_KEY_BYTES + 1 ? path.slice(0, MAX_KEY_BYTES + 1) : path
    const { wasm, retry, notFound, hostInput, pathInput, resultGeneration } = this.#module
    const scratch = this.#scratch
    const hostLength = this.#bytes.utf8Write(host, scratch + hostInput)
    const pathLength = this.#bytes.utf8Write(head, scratch + pathInput)
    for (;;) {
      const index = wasm.lookup(scratch, hostLength, pathLength)
      if (index === notFound) return undefined
      if (index === retry) continue
      const generation = this.#words[(scratch + resultGeneration) >> 2]!
      if (generation !== this.#hitsOf) {
        this.#hits = []
        this.#hitsOf = generation
      }
      const hit = this.#hits[index] ?? this.#read(index, generation)
      if (hit) return hit
    }
  }

  /** Number of publications so far; 0 before the first. */
  generation(): number {
    return Atomics.load(this.#words, this.#module.generationAt >> 2)
  }

  /** True as soon as the table is no longer that of `generation`; false when `timeoutMs` passes first. */
  async waitForChange(generation: number, timeoutMs: number): Promise<boolean> {
    const waiting = Atomics.waitAsync(this.#words, this.#module.generationAt >> 2, generation, timeoutMs)
    return (await waiting.value) !== 'timed-out'
  }

  /** Gives the reader's place back. The reader must not be used any more. */
  close(): void {
    Atomics.store(this.#words, this.#owner, 0)
  }

  // The value of the route that the last lookup found, or undefined where the writer took its memory meanwhile.
  #read(index: number, generation: number): RouteHit<T> | undefined {
    const { wasm, retry, resultOffset, resultLength } = this.#module
    if (wasm.locate(this.#scratch, index) === retry) return undefined
    const start = this.#words[(this.#scratch + resultOffset) >> 2]! >>> 0
    const end = start + (this.#words[(this.#scratch + resultLength) >> 2]! >>> 0)
    if (end > this.#bytes.length) this.#bytes = bytesOf(this.memory)
    const text = this.#bytes.utf8Slice(start, end)
    if (!wasm.intact(this.#scratch, generation)) return undefined
    const hit = Object.freeze({ index, generation, value: this.#decode(text) })
    this.#hits[index] = hit
    return hit
  }
}
