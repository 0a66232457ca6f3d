/**
 * The writing side of the route table.
 * @module
 */
import { RouteTableError } from './errors.ts'
import { bytesOf } from './load.ts'
import { hostKey, MAX_KEY_BYTES, pathKey, type Route, routeModule } from './route.ts'
import { Memory, type WasmMemory } from './webassembly.ts'

const PAGE = 65536
const ARENA_ALIGN = 64
// The slots of all readers, untouched and so not resident until a reader takes one, and a small table.
const INITIAL_PAGES = 224

/** A route as it goes into the table, with the lengths of its parts in bytes. */
interface Line {
  host: string
  hostBytes: number
  path: string
  pathBytes: number
  value: Uint8Array | string
  valueBytes: number
}

/**
 * A route table in shared memory with one writer, this one, and up to 64 readers in any thread. A publication is
 * one atomic store, seen by all readers at once however many routes it changes; the table before it stays readable
 * until the next publication begins.
 *
 * @example
 * const table = RouteTableWriter.create()
 * new Worker(url, { workerData: { routes: table.memory } })
 * table.publish([{ host: '*.example.com', path: '', value: '["10.0.0.2:5000"]' }])
 */
export class RouteTableWriter {
  /** Hand this to other threads through `workerData`, and there to a RouteTableReader. */
  readonly memory: WasmMemory
  readonly #module: ReturnType<typeof routeModule>
  readonly #words: Int32Array
  readonly #maxBytes: number

  private constructor(memory: WasmMemory, maxBytes: number) {
    this.memory = memory
    this.#module = routeModule(memory)
    this.#words = new Int32Array(memory.buffer)
    this.#maxBytes = maxBytes
    this.#words[this.#module.magicAt >> 2] = this.#module.magic
  }

  /** An empty table. `maxBytes` (256 MiB) bounds its memory, which must hold two publications side by side. */
  static create({ maxBytes = 256 << 20 }: { maxBytes?: number } = {}): RouteTableWriter {
    const initial = INITIAL_PAGES
    const maximum = Math.min(65536, Math.max(initial, Math.ceil(maxBytes / PAGE)))
    return new RouteTableWriter(new Memory({ initial, maximum, shared: true }), maximum * PAGE)
  }

  /** Number of publications so far. */
  generation(): number {
    return Atomics.load(this.#words, this.#module.generationAt >> 2)
  }

  /**
   * Replaces the whole table. Gives the new generation; after an error the table is as it was.
   * @throws RouteTableError for a malformed host or path, two routes of the same host and path, or a full memory
   */
  publish(routes: readonly Route[]): number {
    const { wasm, routeRecord, arenaSlack, generationAt } = this.#module
    const lines = routes.map(toLine)
    const bits = Math.max(4, Math.ceil(Math.log2(lines.length * 2 + 1)))
    const records = wasm.routesAt(bits)
    const blob = records + lines.length * routeRecord
    const bytes =
      lines.reduce((sum, line) => sum + line.hostBytes + line.pathBytes + line.valueBytes, blob) + arenaSlack
    const base = this.#place(bytes)

    const generation = wasm.begin()
    this.#write(lines, base, records, blob)
    this.#build(generation, lines, base, bytes, bits)
    wasm.commit(generation)
    Atomics.notify(this.#words, generationAt >> 2)
    return generation
  }

  /** Frees the readers that a thread held when it ended without closing them. */
  releaseThread(threadId: number): void {
    const { ownersAt, readers } = this.#module
    for (let slot = 0; slot < readers; slot++) {
      Atomics.compareExchange(this.#words, (ownersAt >> 2) + slot, threadId + 1, 0)
    }
  }

  // An arena of `bytes` that does not touch the table in use: before it where there is room, else after it.
  #place(bytes: number): number {
    const { wasm, arenas } = this.#module
    const inUse = wasm.currentBase()
    const fitsBefore = inUse === 0 || arenas + bytes <= inUse
    const base = fitsBefore ? arenas : align(inUse + wasm.currentLength())
    const missing = base + bytes - this.memory.buffer.byteLength
    if (missing > 0) {
      try {
        if (base + bytes > this.#maxBytes) throw new RangeError('beyond maxBytes')
        this.memory.grow(Math.ceil(missing / PAGE))
      } catch (cause) {
        throw new RouteTableError(
          'full',
          `the route table needs ${base + bytes} bytes beside the one in use, and may have ${this.#maxBytes}; ` +
            'publish fewer routes, or create it with a larger maxBytes',
          { cause },
        )
      }
    }
    return base
  }

  #write(lines: readonly Line[], base: number, records: number, blob: number): void {
    const bytes = bytesOf(this.memory)
    const words = new Uint32Array(this.memory.buffer)
    let at = blob
    let word = (base + records) >>> 2
    const put = (data: Uint8Array | string) => {
      if (typeof data === 'string') bytes.utf8Write(data, base + at)
      else bytes.set(data, base + at)
    }
    for (const { host, hostBytes, path, pathBytes, value, valueBytes } of lines) {
      put(host)
      words[word + 4] = at
      words[word + 5] = hostBytes
      at += hostBytes
      put(path)
      words[word] = at
      words[word + 1] = pathBytes
      at += pathBytes
      put(value)
      words[word + 2] = at
      words[word + 3] = valueBytes
      at += valueBytes
      word += this.#module.routeRecord >>> 2
    }
  }

  #build(generation: number, lines: readonly Line[], base: number, bytes: number, bits: number): void {
    const { wasm, ok, duplicate } = this.#module
    // A key under which some route would lie far from its place is thrown away, so that no lookup is ever slow.
    for (let attempt = 0; attempt < 16; attempt++) {
      const key = crypto.getRandomValues(new BigUint64Array(3))
      const [seed, multiplier, scramble] = key
      const status = wasm.build(generation, base, bytes, bits, lines.length, seed!, multiplier!, scramble!)
      if (status === ok) return
      if (status === duplicate) {
        const { host, path } = lines[wasm.duplicate()]!
        throw new RouteTableError(
          'duplicate-route',
          `two routes for ${host.startsWith('.') ? '*' : ''}${host || 'the default host'}${path || '/'}; keep one`,
        )
      }
    }
    throw new RouteTableError('full', `cannot spread ${lines.length} routes over the table`)
  }
}

function toLine(route: Route): Line {
  const host = hostKey(route.host)
  const path = pathKey(route.path)
  const line = {
    host,
    hostBytes: Buffer.byteLength(host),
    path,
    pathBytes: Buffer.byteLength(path),
    value: route.value,
    valueBytes: Buffer.byteLength(route.value),
  }
  if (line.hostBytes > MAX_KEY_BYTES || line.pathBytes > MAX_KEY_BYTES) {
    throw new RouteTableError('invalid-route', `a route's host or path is longer than ${MAX_KEY_BYTES} bytes`)
  }
  return line
}

function align(at: number): number {
  return Math.ceil(at / ARENA_ALIGN) * ARENA_ALIGN
}
