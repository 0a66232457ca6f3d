/**
 * The layer cache: from the key of a step to the image that the step made. Entries of a scoped build belong to
 * the images built with them, so that an app's builds leave nothing that no release pins; entries of other
 * builds stay until they are pruned.
 * @module
 */
import type { Digest } from '@kernel/contracts'
import type { Database } from '@kernel/state'
import type { ImageRecord, ImageStore } from '../parts.ts'

/** The store pins intermediate images under this name. */
export const cacheKeeper = 'build-cache'

export const cacheMigrations = [
  `CREATE TABLE build_cache (key TEXT PRIMARY KEY, image TEXT NOT NULL, general INTEGER NOT NULL, used INTEGER NOT NULL) STRICT;
   CREATE TABLE build_cache_users (key TEXT NOT NULL REFERENCES build_cache (key) ON DELETE CASCADE, image TEXT NOT NULL, PRIMARY KEY (key, image)) STRICT;
   CREATE INDEX build_cache_image ON build_cache (image);`,
]

/** What one build found and made. */
export interface CacheSession {
  find(key: string): Promise<ImageRecord | undefined>
  /** `image` must be pinned by `cacheKeeper` already. */
  add(key: string, image: Digest): void
  /** Whether some entry leads to the image. */
  has(image: Digest): boolean
  /** The build is done: with a scope its entries belong to the result. */
  commit(result: Digest): void
  /** The build failed: what a scoped one added goes. */
  rollback(): Promise<void>
}

export interface BuildCache {
  session(options: { scoped: boolean; skip: boolean }): CacheSession
  /** The entries that only this image needed go. Bytes reclaimed. */
  release(image: Digest): Promise<number>
  /** For the start: what builds that were cut off had added goes. */
  recover(): Promise<void>
  /** Entries that belong to no image; `all`: those not used for a day as well as the others. */
  prune(): Promise<number>
}

export function createBuildCache(db: Database, images: ImageStore): BuildCache {
  /** Removes entries, then lets go of images that no entry leads to any more. */
  async function drop(keys: string[]): Promise<number> {
    const candidates = new Set<string>()
    db.transaction(() => {
      for (const key of keys) {
        const row = db.get<{ image: string }>('SELECT image FROM build_cache WHERE key = ?', key)
        if (row) candidates.add(row.image)
        db.run('DELETE FROM build_cache WHERE key = ?', key)
      }
    })
    let reclaimed = 0
    for (const image of candidates)
      if (!db.get('SELECT 1 FROM build_cache WHERE image = ?', image))
        reclaimed += await images.unkeep(cacheKeeper, image as Digest)
    return reclaimed
  }

  const orphans = () =>
    db
      .all<{ key: string }>(
        'SELECT key FROM build_cache WHERE general = 0 AND NOT EXISTS (SELECT 1 FROM build_cache_users u WHERE u.key = build_cache.key)',
      )
      .map(({ key }) => key)

  return {
    session({ scoped, skip }) {
      const used = new Set<string>()
      const added = new Set<string>()
      return {
        async find(key) {
          const row = skip
            ? undefined
            : db.get<{ image: string }>('SELECT image FROM build_cache WHERE key = ?', key)
          const image = row && (await images.resolve(row.image).catch(() => undefined))
          if (!image) return undefined
          used.add(key)
          db.run('UPDATE build_cache SET used = ? WHERE key = ?', Date.now(), key)
          return image
        },
        add(key, image) {
          used.add(key)
          added.add(key)
          db.run(
            'INSERT INTO build_cache (key, image, general, used) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET image = excluded.image, general = max(general, excluded.general), used = excluded.used',
            key,
            image,
            scoped ? 0 : 1,
            Date.now(),
          )
        },
        has: (image) => db.get('SELECT 1 FROM build_cache WHERE image = ?', image) !== undefined,
        commit(result) {
          if (scoped)
            db.transaction(() => {
              for (const key of used)
                db.run('INSERT OR IGNORE INTO build_cache_users (key, image) VALUES (?, ?)', key, result)
            })
          else
            db.transaction(() => {
              for (const key of used) db.run('UPDATE build_cache SET general = 1 WHERE key = ?', key)
            })
        },
        async rollback() {
          const own = new Set(orphans())
          if (scoped) await drop([...added].filter((key) => own.has(key)))
        },
      }
    },
    async release(image) {
      const keys = db.all<{ key: string }>('SELECT key FROM build_cache_users WHERE image = ?', image)
      db.run('DELETE FROM build_cache_users WHERE image = ?', image)
      const free = new Set(orphans())
      return drop(keys.map(({ key }) => key).filter((key) => free.has(key)))
    },
    async recover() {
      await drop(orphans())
      for (const image of await images.kept(cacheKeeper))
        if (!db.get('SELECT 1 FROM build_cache WHERE image = ?', image))
          await images.unkeep(cacheKeeper, image)
    },
    async prune() {
      const general = db.all<{ key: string }>(
        'SELECT key FROM build_cache WHERE general = 1 AND NOT EXISTS (SELECT 1 FROM build_cache_users u WHERE u.key = build_cache.key)',
      )
      // Entries that an app's release still uses lose only their being kept for everybody.
      db.run('UPDATE build_cache SET general = 0')
      return drop([...general.map(({ key }) => key), ...orphans()])
    },
  }
}
