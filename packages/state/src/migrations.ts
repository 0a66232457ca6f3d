import type { Database } from './database.ts'

/** One step of a schema: SQL, or a function where data has to be rewritten. */
export type Migration = string | ((db: Database) => void)

/** The database was written by a newer version of the program. */
export class SchemaTooNewError extends Error {
  override readonly name = 'SchemaTooNewError'
  readonly file: string
  readonly found: number
  readonly known: number

  constructor(file: string, found: number, known: number) {
    super(
      `${file} has schema ${found}, this version knows up to ${known}. ` +
        'It was used by a newer version: run that one, or restore a backup from before the upgrade',
    )
    this.file = file
    this.found = found
    this.known = known
  }
}

/** A step failed; the schema is as it was before that step. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError'

  constructor(file: string, step: number, cause: unknown) {
    super(`${file}: schema step ${step} failed: ${(cause as Error).message}`, { cause })
  }
}

/** Runs the steps that `user_version` does not count yet, each in a transaction of its own. */
export function migrate(db: Database, migrations: Migration[]): void {
  const version = () => Number(db.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0)
  if (version() > migrations.length) throw new SchemaTooNewError(db.file, version(), migrations.length)
  for (const [index, step] of migrations.entries()) {
    if (index < version()) continue
    try {
      db.transaction(() => {
        if (index < version()) return // another process was faster
        if (typeof step === 'string') db.exec(step)
        else step(db)
        db.exec(`PRAGMA user_version = ${index + 1}`)
      })
    } catch (error) {
      throw new MigrationError(db.file, index + 1, error)
    }
  }
}
