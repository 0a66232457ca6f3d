import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MigrationError, SchemaTooNewError } from './migrations.ts'
import { DatabaseFileError, isConstraintError, openDatabase } from './open-database.ts'

let dir: string
let file: string
beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), 'state-db-'))
  file = join(dir, 'state.db')
})
afterEach(() => fs.rmSync(dir, { recursive: true }))

const table = 'CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT'

describe('openDatabase', () => {
  it('keeps rows across opening again, in a file that only the owner reads', () => {
    using(openDatabase(file, { migrations: [table] }), (db) => {
      expect(db.run('INSERT INTO item (name) VALUES (?)', 'a')).toEqual({ changes: 1, lastInsertRowid: 1 })
      expect(fs.statSync(`${file}-wal`).mode & 0o777).toBe(0o600)
    })
    expect(fs.statSync(file).mode & 0o777).toBe(0o600)
    using(openDatabase(file, { migrations: [table] }), (db) => {
      expect(db.get<{ name: string }>('SELECT name FROM item WHERE id = ?', 1)?.name).toBe('a')
      expect(db.get('SELECT name FROM item WHERE id = ?', 2)).toBeUndefined()
      expect(db.get<{ journal_mode: string }>('PRAGMA journal_mode')?.journal_mode).toBe('wal')
      expect(db.get<{ foreign_keys: number }>('PRAGMA foreign_keys')?.foreign_keys).toBe(1)
    })
  })

  it.each([
    ['full', 2],
    ['normal', 1],
  ] as const)('syncs %s', (sync, level) => {
    using(openDatabase(file, { sync }), (db) => {
      expect(db.get<{ synchronous: number }>('PRAGMA synchronous')?.synchronous).toBe(level)
    })
  })

  it('tells a broken constraint from other errors', () => {
    using(openDatabase(':memory:', { migrations: [table] }), (db) => {
      db.run('INSERT INTO item (name) VALUES (?)', 'a')
      const error = thrownBy(() => db.run('INSERT INTO item (name) VALUES (?)', 'a'))
      expect(isConstraintError(error)).toBe(true)
      expect(isConstraintError(thrownBy(() => db.run('nonsense')))).toBe(false)
    })
  })

  it('iterates while the same statement runs again', () => {
    using(openDatabase(':memory:', { migrations: [table] }), (db) => {
      for (const name of ['a', 'b', 'c']) db.run('INSERT INTO item (name) VALUES (?)', name)
      const seen: string[] = []
      for (const row of db.iterate<{ name: string }>('SELECT name FROM item ORDER BY id')) {
        seen.push(row.name + db.all('SELECT name FROM item ORDER BY id').length)
      }
      expect(seen).toEqual(['a3', 'b3', 'c3'])
    })
  })

  it('never hands out a wrong integer', () => {
    const big = 2n ** 60n
    using(openDatabase(':memory:'), (db) => {
      expect(() => db.get('SELECT ? AS n', big)).toThrow(/too large/)
    })
    using(openDatabase(':memory:', { bigints: true }), (db) => {
      expect(db.get<{ n: bigint }>('SELECT ? AS n', big)?.n).toBe(big)
    })
  })

  it('stays usable beyond the statements it caches', () => {
    using(openDatabase(':memory:'), (db) => {
      for (let n = 0; n < 600; n++) expect(db.get<{ n: number }>(`SELECT ${n} AS n`)?.n).toBe(n)
      expect(db.get<{ n: number }>('SELECT 0 AS n')?.n).toBe(0)
    })
  })

  it('says what to do about a file that is no database', () => {
    fs.writeFileSync(file, 'this is a letter, not a database'.repeat(100))
    expect(() => openDatabase(file)).toThrow(DatabaseFileError)
  })
})

describe('transaction', () => {
  it('takes everything back when it fails, and lets a part fail alone', () => {
    using(openDatabase(file, { migrations: [table] }), (db) => {
      const add = (name: string) => db.run('INSERT INTO item (name) VALUES (?)', name)
      const names = () =>
        db.all<{ name: string }>('SELECT name FROM item ORDER BY name').map((row) => row.name)
      const fail = () => {
        throw new Error('no')
      }
      expect(() => db.transaction(() => [add('a'), fail()])).toThrow('no')
      expect(names()).toEqual([])
      db.transaction(() => {
        add('a')
        expect(() => db.transaction(() => [add('b'), db.transaction(() => add('c')), fail()])).toThrow('no')
        db.transaction(() => add('d'))
      })
      expect(names()).toEqual(['a', 'd'])
    })
  })

  it('refuses a function that is not done when it returns', () => {
    using(openDatabase(':memory:', { migrations: [table] }), (db) => {
      expect(() => db.transaction(async () => db.run("INSERT INTO item (name) VALUES ('a')"))).toThrow(
        TypeError,
      )
      expect(db.all('SELECT * FROM item')).toEqual([])
    })
  })
})

describe('migrations', () => {
  const rename = (db: ReturnType<typeof openDatabase>) => {
    for (const row of db.all<{ id: number }>('SELECT id FROM item')) {
      db.run('UPDATE item SET name = name || ? WHERE id = ?', '!', row.id)
    }
  }

  it('runs only the steps that are new', () => {
    using(openDatabase(file, { migrations: [table] }), (db) => db.run("INSERT INTO item (name) VALUES ('a')"))
    for (let round = 0; round < 2; round++) {
      using(openDatabase(file, { migrations: [table, rename] }), (db) => {
        expect(db.get<{ name: string }>('SELECT name FROM item')?.name).toBe('a!')
      })
    }
  })

  it('refuses a database of a newer version', () => {
    using(openDatabase(file, { migrations: [table, rename] }), () => {})
    expect(() => openDatabase(file, { migrations: [table] })).toThrow(SchemaTooNewError)
  })

  it('leaves the schema as it was before a step that fails', () => {
    const bad = 'CREATE TABLE other (id INTEGER) STRICT; INSERT INTO missing VALUES (1)'
    const error = thrownBy(() => openDatabase(file, { migrations: [table, bad] }))
    expect(error).toBeInstanceOf(MigrationError)
    expect((error as Error).message).toMatch(/step 2 .*missing/)
    using(openDatabase(file, { migrations: [table] }), (db) => {
      expect(db.all("SELECT name FROM sqlite_schema WHERE name = 'other'")).toEqual([])
    })
  })
})

function using<T extends Disposable>(resource: T, fn: (resource: T) => void): void {
  try {
    fn(resource)
  } finally {
    resource[Symbol.dispose]()
  }
}

function thrownBy(fn: () => unknown): unknown {
  try {
    fn()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
