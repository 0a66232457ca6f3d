import fs from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Database, SqlValue } from './database.ts'
import { type Migration, migrate } from './migrations.ts'
import { spendReserve } from './space-reserve.ts'

export interface DatabaseOptions {
  /** The schema's history, oldest first; entries are only ever appended. */
  migrations?: Migration[]
  /**
   * `full`: what a call returned from is on the disk (state). `normal`: a power cut may take the last
   * moments, a killed process takes nothing (events, caches). Default `full`.
   */
  sync?: 'full' | 'normal'
  /** Reads every integer as a bigint; without it an integer beyond 2^53 is an error rather than a wrong number. */
  bigints?: boolean
}

/**
 * What every database keeps for itself, in its file and in its log: on a full disk, the records that make room can
 * still be written.
 */
const RESERVED_BYTES = 256 << 10
/** Milliseconds after the opening; a start has more urgent things to do. */
const RESERVE_AFTER = 2000

/** Prepared statements that are kept, the least used thrown out first. */
const CACHED_STATEMENTS = 256

/**
 * Opens or makes a database file (mode 0600) in WAL mode, with foreign keys on, and brings its schema up to
 * date. Tables should be STRICT. Until it is closed nobody else can open it.
 * @param file a path whose directory exists, or `:memory:`
 * @throws SchemaTooNewError, MigrationError, or DatabaseFileError where the file is no database
 */
export function openDatabase(file: string, options: DatabaseOptions = {}): Database {
  for (;;)
    try {
      return open(file, options)
    } catch (error) {
      if (!isFull(error) || !spendReserve()) throw error
    }
}

function open(file: string, options: DatabaseOptions): Database {
  if (file !== ':memory:') makeFile(file)
  const sqlite = new DatabaseSync(file, { timeout: 5000, enableForeignKeyConstraints: true })
  const db = wrap(file, sqlite, options.bigints === true)
  try {
    // Held by this program alone: without the file that other programs would share, which is mapped into memory, and
    // on a full disk ends a program by SIGBUS.
    sqlite.exec(
      `PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = ${options.sync === 'normal' ? 'NORMAL' : 'FULL'}`,
    )
    migrate(db, options.migrations ?? [])
    if (file !== ':memory:') setTimeout(reserve, RESERVE_AFTER, sqlite).unref()
  } catch (error) {
    db.close()
    throw isUnreadable(error) ? new DatabaseFileError(file, error) : error
  }
  return db
}

/** The file is damaged or something else than a database. */
export class DatabaseFileError extends Error {
  override readonly name = 'DatabaseFileError'
  readonly file: string

  constructor(file: string, cause: unknown) {
    super(`${file} cannot be read as a database (${(cause as Error).message}). Restore it from a backup`, {
      cause,
    })
    this.file = file
  }
}

/** Whether an error says that a row would have broken a UNIQUE, CHECK, NOT NULL or FOREIGN KEY constraint. */
export function isConstraintError(error: unknown): boolean {
  return primaryCode(error) === 19
}

/** Makes room in the file and in its log, which both stay as large as they once were. */
function reserve(sqlite: DatabaseSync): void {
  if (!sqlite.isOpen || sqlite.isTransaction) return
  try {
    sqlite.exec(
      `DROP TABLE IF EXISTS reserved; BEGIN IMMEDIATE; CREATE TABLE reserved (filler BLOB); INSERT INTO reserved VALUES (zeroblob(${RESERVED_BYTES})); COMMIT; DROP TABLE reserved; PRAGMA wal_checkpoint(RESTART)`,
    )
  } catch {
    if (sqlite.isTransaction) sqlite.exec('ROLLBACK')
  }
}

/**
 * SQLITE_FULL; SQLITE_IOERR_SHMSIZE, which its shared memory says that finds no room; ENOSPC. Also as the cause of a
 * step of the schema that failed.
 */
function isFull(error: unknown): boolean {
  const { errcode, code, cause } = (error ?? {}) as { errcode?: number; code?: string; cause?: unknown }
  return (
    code === 'ENOSPC' ||
    errcode === 4874 ||
    primaryCode(error) === 13 ||
    (cause !== undefined && isFull(cause))
  )
}

/** SQLITE_CORRUPT, SQLITE_NOTADB. */
function isUnreadable(error: unknown): boolean {
  return [11, 26].includes(primaryCode(error))
}

function primaryCode(error: unknown): number {
  return ((error as { errcode?: number } | undefined)?.errcode ?? 0) & 0xff
}

/** SQLite gives its side files the mode of the main file, so that one has to exist with the right mode. */
function makeFile(file: string): void {
  if (fs.existsSync(file)) return
  fs.closeSync(fs.openSync(file, 'a', 0o600))
  const dir = fs.openSync(dirname(file), 'r')
  try {
    fs.fsyncSync(dir)
  } finally {
    fs.closeSync(dir)
  }
}

function wrap(file: string, sqlite: DatabaseSync, bigints: boolean): Database {
  const cache = new Map<string, StatementSync>()
  let depth = 0

  function prepare(sql: string): StatementSync {
    const statement = sqlite.prepare(sql)
    if (bigints) statement.setReadBigInts(true)
    return statement
  }

  function cached(sql: string): StatementSync {
    const statement = cache.get(sql) ?? prepare(sql)
    cache.delete(sql)
    cache.set(sql, statement)
    if (cache.size > CACHED_STATEMENTS) {
      for (const oldest of cache.keys()) {
        cache.delete(oldest)
        break
      }
    }
    return statement
  }

  /**
   * Where the disk is full, the log is emptied into the file, and begins anew in the room that it has already; where
   * that is not enough, the reserve is spent.
   */
  function unlessFull<T>(write: () => T): T {
    for (let emptied = false; ; )
      try {
        return write()
      } catch (error) {
        if (depth > 0 || !isFull(error)) throw error
        if (emptied && !spendReserve()) throw error
        emptied = true
        emptyLog()
      }
  }

  function emptyLog(): void {
    try {
      sqlite.exec('PRAGMA wal_checkpoint(RESTART)')
    } catch {
      // For want of room as well; the next slice of the reserve may do.
    }
  }

  function transaction<T>(fn: () => T): T {
    return depth === 0 ? unlessFull(() => nested(fn)) : nested(fn)
  }

  function nested<T>(fn: () => T): T {
    const [begin, commit, rollback] = steps(depth)
    sqlite.exec(begin)
    depth++
    let result: T
    try {
      result = fn()
      if (isThenable(result)) throw new TypeError('a transaction must be synchronous')
      sqlite.exec(commit)
    } catch (error) {
      // Some errors (a full disk) make SQLite roll everything back on its own.
      if (sqlite.isTransaction) sqlite.exec(rollback)
      throw error
    } finally {
      depth--
    }
    return result
  }

  function close(): void {
    cache.clear()
    if (sqlite.isOpen) sqlite.close()
  }

  return {
    file,
    run: (sql, ...values) => {
      const { changes, lastInsertRowid } = unlessFull(() => cached(sql).run(...bindable(values)))
      return { changes: Number(changes), lastInsertRowid }
    },
    get: <T>(sql: string, ...values: SqlValue[]) => cached(sql).get(...bindable(values)) as T | undefined,
    all: <T>(sql: string, ...values: SqlValue[]) => cached(sql).all(...bindable(values)) as T[],
    // A statement of its own: a cached one would start over if it were used again meanwhile.
    iterate: <T>(sql: string, ...values: SqlValue[]) =>
      prepare(sql).iterate(...bindable(values)) as unknown as IterableIterator<T>,
    exec: (sql) => sqlite.exec(sql),
    transaction,
    close,
    [Symbol.dispose]: close,
  }
}

/** Begin, commit and roll back, at a depth. IMMEDIATE: wait for the write lock now, not in the middle. */
function steps(depth: number): [string, string, string] {
  if (depth === 0) return ['BEGIN IMMEDIATE', 'COMMIT', 'ROLLBACK']
  const name = `part_${depth}`
  return [`SAVEPOINT ${name}`, `RELEASE ${name}`, `ROLLBACK TO ${name}; RELEASE ${name}`]
}

function bindable(values: SqlValue[]): (null | number | bigint | string | Uint8Array)[] {
  return values.map((value) => value ?? null)
}

function isThenable(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
