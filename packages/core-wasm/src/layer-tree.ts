/**
 * Trees of layers, laid over one another and compared: the host side of assembly/diff.ts.
 * @module
 */
import { TarError } from './errors.ts'
import { bytesOf, constant, type FastBuffer, instantiate } from './load.ts'
import type { ColumnName, TarEntries } from './tar-entries.ts'
import { Memory, type WasmMemory } from './webassembly.ts'

/** Where an entry comes from: the number of its layer, the lowest being 0, and its row there. */
export interface EntryRef {
  layer: number
  row: number
}

/** One difference between two trees. */
export interface Change {
  kind: 'add' | 'modify' | 'delete'
  /** Clean: no slash at either end, no `.` or `..`; `''` for the root. */
  path: string
  /** The entry before; undefined for what was added. */
  lower?: EntryRef
  /** The entry after; undefined for what was deleted. */
  upper?: EntryRef
}

interface DiffModule {
  index(layer: number, count: number, items: number, keys: number): number
  invalidRow(): number
  overlay(lower: number, lowerCount: number, upper: number, upperCount: number, out: number): number
  diff(lower: number, lowerCount: number, upper: number, upperCount: number, out: number): number
}

// In the order of `Layer` in assembly/diff.ts.
const REGISTERED: readonly ColumnName[] = [
  'size',
  'mtime',
  'mode',
  'uid',
  'gid',
  'devmajor',
  'devminor',
  'pathOffset',
  'pathLength',
  'linkOffset',
  'linkLength',
  'xattrOffset',
  'xattrLength',
  'type',
]
const KINDS = ['', 'add', 'modify', 'delete'] as const
const PAGE = 65536
// Sixteen bytes at a time are read, so a name may be read past its end.
const SLACK = 32

/** A run of items in the memory of a Workbench. */
interface Items {
  at: number
  count: number
}

/** The module with a memory of its own, which grows by what is put into it and is freed as a whole. */
class Workbench {
  readonly memory: WasmMemory = new Memory({ initial: 16, maximum: 65536 })
  readonly wasm: DiffModule
  readonly itemBytes: number
  readonly changeBytes: number
  readonly #layersAt: number
  readonly #layerBytes: number
  readonly #maxLayers: number
  #free: number
  #layers = 0

  constructor() {
    const exports = instantiate('diff', this.memory)
    this.wasm = exports as unknown as DiffModule
    this.itemBytes = constant(exports, 'ITEM_BYTES')
    this.changeBytes = constant(exports, 'CHANGE_BYTES')
    this.#layersAt = constant(exports, 'LAYERS')
    this.#layerBytes = constant(exports, 'LAYER_BYTES')
    this.#maxLayers = constant(exports, 'MAX_LAYERS')
    this.#free = constant(exports, 'FREE')
  }

  allocate(bytes: number): number {
    const at = this.#free
    this.#free = Math.ceil((at + bytes + SLACK) / 16) * 16
    const missing = this.#free - this.memory.buffer.byteLength
    if (missing > 0) {
      try {
        this.memory.grow(Math.ceil(missing / PAGE))
      } catch (cause) {
        throw new TarError('limit', 'the layers have too many entries to compare in 4 GiB', undefined, {
          cause,
        })
      }
    }
    return at
  }

  /** What is seen of layers that lie over one another, the first at the bottom. */
  merge(layers: readonly TarEntries[]): Items {
    let tree: Items = { at: 0, count: 0 }
    for (const layer of layers) {
      const upper = this.#index(layer)
      const out = this.allocate((tree.count + upper.count) * this.itemBytes)
      tree = { at: out, count: this.wasm.overlay(tree.at, tree.count, upper.at, upper.count, out) }
    }
    return tree
  }

  #index(entries: TarEntries): Items {
    const { columns, count } = entries
    if (this.#layers === this.#maxLayers) throw new TarError('limit', `more than ${this.#maxLayers} layers`)
    const layer = this.#layers++
    const arrays = [...REGISTERED.map((name) => columns[name]), columns.names]
    const places = arrays.map((array) => this.allocate(array.byteLength))
    const items = this.allocate(2 * count * this.itemBytes)
    const keys = this.allocate(columns.names.length)

    const bytes = new Uint8Array(this.memory.buffer)
    for (const [i, array] of arrays.entries()) {
      bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), places[i])
    }
    const record = new Uint32Array(
      this.memory.buffer,
      this.#layersAt + layer * this.#layerBytes,
      places.length + 1,
    )
    record.set([...places, columns.names.length])

    const found = this.wasm.index(layer, count, items, keys)
    if (found < 0) {
      const path = JSON.stringify(entries.path(this.wasm.invalidRow()).slice(0, 200))
      throw new TarError(
        'path',
        `the entry ${path} leaves the root of its layer, or is a whiteout of nothing`,
      )
    }
    return { at: items, count: found }
  }
}

/** What is seen of layers that lie over one another, in the order of a tree: a folder, then what it holds. */
export class LayerTree {
  readonly count: number
  readonly #words: Uint32Array
  readonly #bytes: FastBuffer

  constructor(bench: Workbench, items: Items) {
    this.count = items.count
    this.#words = new Uint32Array(bench.memory.buffer, items.at, items.count * 4)
    this.#bytes = bytesOf(bench.memory)
  }

  /** The clean path of an item. */
  path(item: number): string {
    const at = this.#words[item * 4]!
    return this.#bytes.utf8Slice(at, at + this.#words[item * 4 + 1]!)
  }

  /** The entry that an item is. */
  entry(item: number): EntryRef {
    return { layer: this.#words[item * 4 + 3]! >>> 8, row: this.#words[item * 4 + 2]! }
  }
}

/**
 * Lays layers over one another, the first at the bottom, as their whiteouts and opaque folders say.
 * @throws TarError for a path that climbs out of the root
 */
export function mergeLayers(layers: readonly TarEntries[]): LayerTree {
  const bench = new Workbench()
  return new LayerTree(bench, bench.merge(layers))
}

/**
 * What differs between two trees, each given by its layers, in the order of a tree. Kind, permissions, owner, device,
 * link target and extended attributes count, and of all but folders also size and time. Of a folder that is gone only
 * the folder itself is told, as one whiteout hides it whole.
 * @throws TarError for a path that climbs out of the root
 */
export function diffEntries(lower: readonly TarEntries[], upper: readonly TarEntries[]): Change[] {
  const bench = new Workbench()
  const before = bench.merge(lower)
  const after = bench.merge(upper)
  const out = bench.allocate((before.count + after.count) * bench.changeBytes)
  const count = bench.wasm.diff(before.at, before.count, after.at, after.count, out)
  const words = new Int32Array(bench.memory.buffer, out, count * 3)
  const lowerTree = new LayerTree(bench, before)
  const upperTree = new LayerTree(bench, after)
  return Array.from({ length: count }, (_, i): Change => {
    const from = words[i * 3 + 1]!
    const to = words[i * 3 + 2]!
    const change: Change = {
      kind: KINDS[words[i * 3]! as 1 | 2 | 3],
      path: to < 0 ? lowerTree.path(from) : upperTree.path(to),
    }
    if (from >= 0) change.lower = lowerTree.entry(from)
    if (to >= 0) {
      const { layer, row } = upperTree.entry(to)
      change.upper = { layer: layer - lower.length, row }
    }
    return change
  })
}
