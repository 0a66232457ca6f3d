/**
 * What this package throws.
 * @module
 */

/** What is wrong with a tar archive or an entry of one. */
export type TarErrorCode =
  | 'checksum' // a header's bytes do not add up
  | 'truncated' // the archive ends within an entry
  | 'sparse' // a sparse file, which layers do not carry
  | 'number' // a numeric field that is no number, or is out of range
  | 'name-too-long' // a long name or extended header beyond the limit
  | 'pax' // a malformed extended header
  | 'unsupported' // an entry of a kind that has no meaning in a layer
  | 'limit' // more entries or bytes of names than the caller allows
  | 'path' // a path that climbs out of the archive's root
  | 'internal' // the scanner itself failed

/**
 * A tar archive that cannot be read, or an entry that cannot be written.
 * `offset` is the position in bytes of the header at fault, where there is one.
 */
export class TarError extends Error {
  readonly code: TarErrorCode
  readonly offset: number | undefined

  constructor(code: TarErrorCode, message: string, offset?: number, options?: ErrorOptions) {
    super(offset === undefined ? message : `${message} (tar entry at byte ${offset})`, options)
    this.name = 'TarError'
    this.code = code
    this.offset = offset
  }

  /** The error again, on this side of a thread's border; its message already names the offset. */
  static revive(code: TarErrorCode, message: string, offset: number | undefined): TarError {
    return Object.assign(new TarError(code, message), { offset })
  }
}

/** What is wrong with a route table. */
export type RouteTableErrorCode =
  | 'invalid-route'
  | 'duplicate-route'
  | 'full'
  | 'too-many-readers'
  | 'not-a-table'

/** A table that cannot be published, or memory that holds none. */
export class RouteTableError extends Error {
  readonly code: RouteTableErrorCode

  constructor(code: RouteTableErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RouteTableError'
    this.code = code
  }
}
