/**
 * Durable state: a database, records in it, files that are whole or not there, and locks by key. What a call
 * acknowledged survives a kill at any moment.
 * @module
 */
export { type Collection, collection, RecordError, type RecordSchema } from './collection.ts'
export type { Database, SqlValue } from './database.ts'
export {
  ensureDir,
  moveDurably,
  readJson,
  removeTree,
  sweepTemp,
  syncTree,
  writeFileAtomic,
  writeJson,
} from './files.ts'
export { KeyedMutex } from './keyed-mutex.ts'
export { type Migration, MigrationError, SchemaTooNewError } from './migrations.ts'
export { DatabaseFileError, type DatabaseOptions, isConstraintError, openDatabase } from './open-database.ts'
export { type SpaceReserve, spaceReserve, useReserve } from './space-reserve.ts'
