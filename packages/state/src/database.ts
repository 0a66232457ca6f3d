/** What SQLite stores. `undefined` is written as NULL. */
export type SqlValue = null | undefined | number | bigint | string | Uint8Array

/** An open SQLite database. All calls are synchronous: 3 us to read, 30 (normal) to 300 us (full) to write. */
export interface Database extends Disposable {
  readonly file: string
  /** Runs one statement that changes something. */
  run(sql: string, ...values: SqlValue[]): { changes: number; lastInsertRowid: number | bigint }
  /** The first row. */
  get<T>(sql: string, ...values: SqlValue[]): T | undefined
  all<T>(sql: string, ...values: SqlValue[]): T[]
  /** Rows one by one, for results that need not fit into memory. */
  iterate<T>(sql: string, ...values: SqlValue[]): IterableIterator<T>
  /** Runs a script of several statements, without values. */
  exec(sql: string): void
  /**
   * All of `fn` or nothing of it; inside another transaction it is a part that can fail alone. `fn` is
   * synchronous, and run again where the disk was too full for it.
   * @throws what `fn` throws, after everything was rolled back
   */
  transaction<T>(fn: () => T): T
  close(): void
}
