/**
 * Collects columns that arrive in pieces.
 * @module
 */
import { TarError } from './errors.ts'
import { COLUMN_TYPES, type ColumnName, type TarColumns } from './tar-entries.ts'

type Column = Float64Array | Uint32Array | Uint8Array

/** Bounds of what a scan may collect, so that a hostile archive cannot exhaust the memory. */
export interface ScanLimits {
  /** 4,194,304 entries unless told. */
  maxEntries?: number
  /** 512 MiB of names, links and extended attributes unless told; 4 GiB at most. */
  maxNameBytes?: number
}

/** Where one column lies in the memory of the scanner. */
export type ColumnAddresses = Record<ColumnName, number>

const names = Object.keys(COLUMN_TYPES) as ColumnName[]

export class ColumnSink {
  readonly #maxEntries: number
  readonly #maxNameBytes: number
  #columns: Record<ColumnName, Column>
  #names: Uint8Array
  #count = 0
  #nameBytes = 0

  constructor(limits: ScanLimits) {
    this.#maxEntries = limits.maxEntries ?? 4 << 20
    this.#maxNameBytes = Math.min(limits.maxNameBytes ?? 512 << 20, 2 ** 32 - 1)
    this.#columns = Object.fromEntries(names.map((name) => [name, new COLUMN_TYPES[name](0)])) as never
    this.#names = new Uint8Array(0)
  }

  /** Appends `rows` rows and `nameBytes` bytes of names from the scanner's memory. */
  take(memory: ArrayBufferLike, at: ColumnAddresses, rows: number, arena: number, nameBytes: number): void {
    if (this.#count + rows > this.#maxEntries) {
      throw new TarError('limit', `the archive has more than ${this.#maxEntries} entries`)
    }
    if (this.#nameBytes + nameBytes > this.#maxNameBytes) {
      throw new TarError('limit', `the archive's names take more than ${this.#maxNameBytes} bytes`)
    }
    for (const name of names) {
      const column = grown(this.#columns[name], this.#count + rows)
      column.set(new COLUMN_TYPES[name](memory as ArrayBuffer, at[name], rows), this.#count)
      this.#columns[name] = column
    }
    this.#names = grown(this.#names, this.#nameBytes + nameBytes)
    this.#names.set(new Uint8Array(memory, arena, nameBytes), this.#nameBytes)
    this.#count += rows
    this.#nameBytes += nameBytes
  }

  /** The columns, each cut to its length. */
  finish(): TarColumns {
    const columns = Object.fromEntries(names.map((name) => [name, this.#columns[name].slice(0, this.#count)]))
    return {
      ...columns,
      count: this.#count,
      names: this.#names.slice(0, this.#nameBytes),
    } as unknown as TarColumns
  }
}

// The array itself, or a longer copy; lengths double, so that appending stays linear.
function grown<T extends Column>(array: T, length: number): T {
  if (length <= array.length) return array
  const longer = new (array.constructor as new (length: number) => T)(Math.max(length, array.length * 2))
  longer.set(array as never)
  return longer
}
