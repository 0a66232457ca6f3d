/**
 * What a scan of a tar archive gives: one row an entry, kept in columns. Strings are made when they are asked for.
 * @module
 */

/** The columns as they are: plain typed arrays that move between threads without a copy. */
export interface TarColumns {
  /** Number of rows. */
  count: number
  /** Where an entry's data begins in the archive, in bytes. */
  dataOffset: Float64Array
  /** Bytes of data; 0 for all but files. */
  size: Float64Array
  /** Seconds since 1970, with their fraction. */
  mtime: Float64Array
  /** Permission bits, 0 to 0o7777. */
  mode: Uint32Array
  uid: Uint32Array
  gid: Uint32Array
  devmajor: Uint32Array
  devminor: Uint32Array
  /** Offsets and lengths of texts in `names`, in bytes. */
  pathOffset: Uint32Array
  pathLength: Uint32Array
  linkOffset: Uint32Array
  linkLength: Uint32Array
  /** Runs of { key length u32, value length u32, key, value } in `names`. */
  xattrOffset: Uint32Array
  xattrLength: Uint32Array
  /** Character codes of type flags: see TarType. */
  type: Uint8Array
  names: Uint8Array
}

/**
 * An entry's kind: file, hard link, symbolic link, character and block device, folder, pipe, contiguous file.
 * Other letters, which vendors chose, come through as they are.
 */
export type TarType = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | (string & {})

/** The columns that hold numbers, with the type of each. */
export const COLUMN_TYPES = {
  dataOffset: Float64Array,
  size: Float64Array,
  mtime: Float64Array,
  mode: Uint32Array,
  uid: Uint32Array,
  gid: Uint32Array,
  devmajor: Uint32Array,
  devminor: Uint32Array,
  pathOffset: Uint32Array,
  pathLength: Uint32Array,
  linkOffset: Uint32Array,
  linkLength: Uint32Array,
  xattrOffset: Uint32Array,
  xattrLength: Uint32Array,
  type: Uint8Array,
} as const

export type ColumnName = keyof typeof COLUMN_TYPES

/** The entries of one archive, in its order. Paths are as written there: they may be absolute, or hold `..`. */
export class TarEntries {
  readonly columns: TarColumns
  readonly #names: Buffer

  constructor(columns: TarColumns) {
    this.columns = columns
    const { buffer, byteOffset, byteLength } = columns.names
    this.#names = Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength)
  }

  get count(): number {
    return this.columns.count
  }

  /** The path as text; bytes that are not UTF-8 become U+FFFD, see pathBytes. */
  path(row: number): string {
    return this.#text(this.columns.pathOffset, this.columns.pathLength, row)
  }

  /** The path as the archive has it: what to give to the file system. */
  pathBytes(row: number): Buffer {
    return this.#bytes(this.columns.pathOffset, this.columns.pathLength, row)
  }

  /** The target of a hard or symbolic link, else `''`. */
  linkpath(row: number): string {
    return this.#text(this.columns.linkOffset, this.columns.linkLength, row)
  }

  linkpathBytes(row: number): Buffer {
    return this.#bytes(this.columns.linkOffset, this.columns.linkLength, row)
  }

  type(row: number): TarType {
    return String.fromCharCode(this.columns.type[row]!)
  }

  /** Extended attributes by name (`user.x`, `security.capability`), or undefined where there are none. */
  xattrs(row: number): Map<string, Buffer> | undefined {
    const start = this.columns.xattrOffset[row]!
    const end = start + this.columns.xattrLength[row]!
    if (start === end) return undefined
    const xattrs = new Map<string, Buffer>()
    for (let at = start; at < end; ) {
      const value = at + 8 + this.#names.readUInt32LE(at)
      const next = value + this.#names.readUInt32LE(at + 4)
      xattrs.set(this.#names.toString('utf8', at + 8, value), this.#names.subarray(value, next))
      at = next
    }
    return xattrs
  }

  #text(offsets: Uint32Array, lengths: Uint32Array, row: number): string {
    const start = offsets[row]!
    return this.#names.toString('utf8', start, start + lengths[row]!)
  }

  #bytes(offsets: Uint32Array, lengths: Uint32Array, row: number): Buffer {
    const start = offsets[row]!
    return this.#names.subarray(start, start + lengths[row]!)
  }
}

/** The buffers behind the columns, to hand to another thread instead of copying them. */
export function buffersOf(columns: TarColumns): ArrayBuffer[] {
  const arrays = Object.keys(COLUMN_TYPES).map((name) => columns[name as ColumnName])
  return [...new Set([...arrays, columns.names].map((array) => array.buffer as ArrayBuffer))]
}
