import type { Database } from './database.ts'

/** Checks a record and gives it its type; any zod schema is one. */
export interface RecordSchema<T> {
  parse(value: unknown): T
}

/**
 * Small records under string keys, kept as JSON: what JSON cannot say (Date, Map, undefined) does not
 * survive. Every call is durable as its database is, and several calls can be one `db.transaction`.
 */
export interface Collection<T> {
  /** Writes a record, new or not; returns what was stored. */
  put(key: string, value: T): T
  get(key: string): T | undefined
  has(key: string): boolean
  /** Returns whether it was there. */
  delete(key: string): boolean
  /** All keys in byte order, or those that begin with `prefix`. */
  keys(prefix?: string): string[]
  /** All records in the order of their keys. */
  list(prefix?: string): T[]
  entries(prefix?: string): [key: string, value: T][]
  /** Reads, changes and writes in one step; `undefined` deletes. Returns what is stored afterwards. */
  update(key: string, change: (current: T | undefined) => T | undefined): T | undefined
  /** When a record was written last, in milliseconds since 1970. */
  updated(key: string): number | undefined
  readonly size: number
  clear(): void
}

/** A stored record that the schema, or JSON itself, refuses. */
export class RecordError extends Error {
  override readonly name = 'RecordError'

  constructor(collection: string, key: string, cause: unknown) {
    super(`record ${JSON.stringify(key)} of collection ${collection}: ${(cause as Error).message}`, { cause })
  }
}

/**
 * Opens a collection, making its table at the first use.
 * @param name lower-case letters, digits, `-` and `_`
 * @param options.schema checks records when they are written and when they are read
 */
export function collection<T>(
  db: Database,
  name: string,
  options: { schema?: RecordSchema<T> } = {},
): Collection<T> {
  if (!/^[a-z][a-z0-9_-]{0,62}$/.test(name))
    throw new TypeError(`not a collection name: ${JSON.stringify(name)}`)
  const table = `"collection_${name}"`
  db.exec(
    `CREATE TABLE IF NOT EXISTS ${table} (key TEXT PRIMARY KEY, value TEXT NOT NULL, updated INTEGER NOT NULL) STRICT`,
  )
  const where = 'WHERE key >= ?1 AND substr(key, 1, length(?1)) = ?1 ORDER BY key'

  function encode(key: string, value: T): string {
    try {
      const json: string | undefined = JSON.stringify(options.schema ? options.schema.parse(value) : value)
      if (json === undefined) throw new TypeError(`${typeof value} cannot be stored as JSON`)
      return json
    } catch (error) {
      throw new RecordError(name, key, error)
    }
  }

  function decode(key: string, json: string): T {
    try {
      const value: unknown = JSON.parse(json)
      return options.schema ? options.schema.parse(value) : (value as T)
    } catch (error) {
      throw new RecordError(name, key, error)
    }
  }

  function get(key: string): T | undefined {
    const row = db.get<{ value: string }>(`SELECT value FROM ${table} WHERE key = ?`, key)
    return row && decode(key, row.value)
  }

  function put(key: string, value: T): T {
    // Such a key would come back as another one.
    if (!key.isWellFormed() || key.includes('\0')) throw new TypeError(`not a key: ${JSON.stringify(key)}`)
    const json = encode(key, value)
    db.run(
      `INSERT INTO ${table} VALUES (?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated = excluded.updated`,
      key,
      json,
      Date.now(),
    )
    return decode(key, json)
  }

  function remove(key: string): boolean {
    return db.run(`DELETE FROM ${table} WHERE key = ?`, key).changes > 0
  }

  function entries(prefix = ''): [string, T][] {
    const rows = db.all<{ key: string; value: string }>(`SELECT key, value FROM ${table} ${where}`, prefix)
    return rows.map(({ key, value }) => [key, decode(key, value)])
  }

  return {
    put,
    get,
    has: (key) => db.get(`SELECT 1 FROM ${table} WHERE key = ?`, key) !== undefined,
    delete: remove,
    keys: (prefix = '') =>
      db.all<{ key: string }>(`SELECT key FROM ${table} ${where}`, prefix).map((row) => row.key),
    list: (prefix) => entries(prefix).map(([, value]) => value),
    entries,
    update: (key, change) =>
      db.transaction(() => {
        const next = change(get(key))
        if (next !== undefined) return put(key, next)
        remove(key)
        return undefined
      }),
    updated: (key) => {
      const row = db.get<{ updated: number | bigint }>(`SELECT updated FROM ${table} WHERE key = ?`, key)
      return row && Number(row.updated)
    },
    get size() {
      return Number(db.get<{ count: number | bigint }>(`SELECT count(*) AS count FROM ${table}`)?.count)
    },
    clear: () => {
      db.run(`DELETE FROM ${table}`)
    },
  }
}
