/**
 * What the store knows, in SQLite: the truth about which layers, images, names and snapshots there are. A file
 * without a record is garbage.
 * @module
 */
import type { Digest, ImageConfig } from '@kernel/contracts'
import { type Database, openDatabase } from '@kernel/state'

const schema = `
CREATE TABLE blobs (digest TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT;
CREATE TABLE layers (
  diff_id TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  disk INTEGER NOT NULL,
  tar_size INTEGER NOT NULL,
  blob TEXT REFERENCES blobs (digest),
  -- The boot in which its files were written; null: they are known to be on the disk.
  unsynced_boot TEXT
) STRICT;
CREATE TABLE images (
  id TEXT PRIMARY KEY,
  config BLOB NOT NULL,
  parent TEXT,
  size INTEGER NOT NULL,
  added INTEGER NOT NULL
) STRICT;
CREATE TABLE image_layers (
  image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  diff_id TEXT NOT NULL REFERENCES layers (diff_id),
  PRIMARY KEY (image, position)
) STRICT;
CREATE INDEX image_layers_by_layer ON image_layers (diff_id);
CREATE TABLE tags (name TEXT PRIMARY KEY, image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE) STRICT;
CREATE INDEX tags_by_image ON tags (image);
CREATE TABLE repo_digests (
  repository TEXT NOT NULL,
  digest TEXT NOT NULL,
  image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  PRIMARY KEY (repository, digest)
) STRICT;
CREATE INDEX repo_digests_by_image ON repo_digests (image);
CREATE TABLE keeps (
  keep TEXT NOT NULL,
  image TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
  PRIMARY KEY (keep, image)
) STRICT;
CREATE INDEX keeps_by_image ON keeps (image);
CREATE TABLE snapshots (key TEXT PRIMARY KEY, created INTEGER NOT NULL) STRICT;
CREATE TABLE snapshot_layers (
  snapshot TEXT NOT NULL REFERENCES snapshots (key) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  diff_id TEXT NOT NULL REFERENCES layers (diff_id),
  PRIMARY KEY (snapshot, position)
) STRICT;
CREATE INDEX snapshot_layers_by_layer ON snapshot_layers (diff_id);
`

export interface LayerRecord {
  diffId: Digest
  /** Bytes in regular files. */
  size: number
  /** Bytes on the disk, without blob and recipe. */
  disk: number
  tarSize: number
  /** The compressed form that it was pulled in; undefined: there is a recipe instead. */
  blob?: Digest
}

export interface StoredImage {
  id: Digest
  /** The bytes that the id is the digest of. */
  raw: Uint8Array
  config: ImageConfig
  parent?: Digest
  size: number
  /** Milliseconds since 1970. */
  added: number
}

interface LayerRow {
  diff_id: Digest
  size: number
  disk: number
  tar_size: number
  blob: Digest | null
}
interface ImageRow {
  id: Digest
  config: Uint8Array
  parent: Digest | null
  size: number
  added: number
}

export class Records {
  readonly db: Database

  constructor(file: string) {
    this.db = openDatabase(file, { migrations: [schema] })
  }

  transaction<T>(fn: () => T): T {
    return this.db.transaction(fn)
  }

  // Blobs and layers

  blobSize(digest: Digest): number | undefined {
    return this.db.get<{ size: number }>('SELECT size FROM blobs WHERE digest = ?', digest)?.size
  }

  addBlob(digest: Digest, size: number): void {
    this.db.run('INSERT INTO blobs VALUES (?, ?) ON CONFLICT DO NOTHING', digest, size)
  }

  layer(diffId: Digest): LayerRecord | undefined {
    const row = this.db.get<LayerRow>('SELECT * FROM layers WHERE diff_id = ?', diffId)
    return row && toLayer(row)
  }

  layers(): LayerRecord[] {
    return this.db.all<LayerRow>('SELECT * FROM layers ORDER BY diff_id').map(toLayer)
  }

  layerOfBlob(blob: Digest): Digest | undefined {
    return this.db.get<{ diff_id: Digest }>('SELECT diff_id FROM layers WHERE blob = ?', blob)?.diff_id
  }

  addLayer(layer: LayerRecord, boot: string): void {
    const { diffId, size, disk, tarSize, blob } = layer
    const sql = 'INSERT INTO layers VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING'
    this.db.run(sql, diffId, size, disk, tarSize, blob, boot)
  }

  hasUnsynced(): boolean {
    return this.db.get('SELECT 1 FROM layers WHERE unsynced_boot IS NOT NULL') !== undefined
  }

  unsynced(): Digest[] {
    return ids(this.db.all('SELECT diff_id AS id FROM layers WHERE unsynced_boot IS NOT NULL'))
  }

  markSynced(diffIds: Digest[]): void {
    this.transaction(() => {
      for (const id of diffIds) this.db.run('UPDATE layers SET unsynced_boot = NULL WHERE diff_id = ?', id)
    })
  }

  /** Layers that a power cut may have left incomplete: written in another boot, and not known to be on the disk. */
  doubtful(boot: string): Digest[] {
    return ids(this.db.all('SELECT diff_id AS id FROM layers WHERE unsynced_boot <> ?', boot))
  }

  /** Forgets a layer and all that can't be without it; answers the images and snapshots that went. */
  dropLayer(diffId: Digest): { images: Digest[]; snapshots: string[] } {
    return this.transaction(() => {
      const images = this.imagesWithLayer(diffId)
      const snapshots = this.snapshotsWithLayer(diffId)
      for (const id of images) this.db.run('DELETE FROM images WHERE id = ?', id)
      for (const key of snapshots) this.db.run('DELETE FROM snapshots WHERE key = ?', key)
      this.db.run('DELETE FROM layers WHERE diff_id = ?', diffId)
      return { images, snapshots }
    })
  }

  imagesWithLayer(diffId: Digest): Digest[] {
    return ids(this.db.all('SELECT DISTINCT image AS id FROM image_layers WHERE diff_id = ?', diffId))
  }

  snapshotsWithLayer(diffId: Digest): string[] {
    const sql = 'SELECT DISTINCT snapshot AS id FROM snapshot_layers WHERE diff_id = ?'
    return this.db.all<{ id: string }>(sql, diffId).map((row) => row.id)
  }

  /** Forgets what nothing refers to; `held` is in use without a reference yet. Answers what is to be deleted. */
  dropGarbage(held: (id: string) => boolean): {
    layers: LayerRecord[]
    blobs: { digest: Digest; size: number }[]
  } {
    return this.transaction(() => {
      const layers = this.db
        .all<LayerRow>(
          `SELECT * FROM layers WHERE diff_id NOT IN (SELECT diff_id FROM image_layers)
             AND diff_id NOT IN (SELECT diff_id FROM snapshot_layers)`,
        )
        .filter((row) => !held(row.diff_id))
        .map(toLayer)
      for (const { diffId } of layers) this.db.run('DELETE FROM layers WHERE diff_id = ?', diffId)
      const blobs = this.db
        .all<{ digest: Digest; size: number }>(
          `SELECT digest, size FROM blobs WHERE digest NOT IN (SELECT blob FROM layers WHERE blob IS NOT NULL)
             AND digest NOT IN (SELECT digest FROM repo_digests)`,
        )
        .filter((row) => !held(row.digest))
      for (const { digest } of blobs) this.db.run('DELETE FROM blobs WHERE digest = ?', digest)
      return { layers, blobs }
    })
  }

  // Images

  image(id: string): StoredImage | undefined {
    const row = this.db.get<ImageRow>('SELECT * FROM images WHERE id = ?', id)
    return row && toImage(row)
  }

  images(): StoredImage[] {
    return this.db.all<ImageRow>('SELECT * FROM images ORDER BY added, id').map(toImage)
  }

  imagesByPrefix(hex: string): Digest[] {
    const from = `sha256:${hex}`
    return ids(this.db.all('SELECT id FROM images WHERE id >= ? AND id < ? LIMIT 2', from, `${from}g`))
  }

  addImage(image: StoredImage): void {
    const { id, raw, config, parent, size, added } = image
    this.transaction(() => {
      const sql = 'INSERT INTO images VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING'
      if (this.db.run(sql, id, raw, parent, size, added).changes === 0) return
      for (const [position, diffId] of config.rootfs.diff_ids.entries())
        this.db.run('INSERT INTO image_layers VALUES (?, ?, ?)', id, position, diffId)
    })
  }

  dropImage(id: Digest): void {
    this.db.run('DELETE FROM images WHERE id = ?', id)
  }

  children(id: Digest): Digest[] {
    return ids(this.db.all('SELECT id FROM images WHERE parent = ?', id))
  }

  // Names

  tag(name: string): Digest | undefined {
    return this.db.get<{ image: Digest }>('SELECT image FROM tags WHERE name = ?', name)?.image
  }

  setTag(name: string, image: Digest): void {
    this.db.run(
      'INSERT INTO tags VALUES (?, ?) ON CONFLICT DO UPDATE SET image = excluded.image',
      name,
      image,
    )
  }

  dropTag(name: string): boolean {
    return this.db.run('DELETE FROM tags WHERE name = ?', name).changes > 0
  }

  tagsOf(image: Digest): string[] {
    return this.db
      .all<{ name: string }>('SELECT name FROM tags WHERE image = ? ORDER BY name', image)
      .map((row) => row.name)
  }

  repoDigest(repository: string, digest: Digest): Digest | undefined {
    const sql = 'SELECT image FROM repo_digests WHERE repository = ? AND digest = ?'
    return this.db.get<{ image: Digest }>(sql, repository, digest)?.image
  }

  setRepoDigest(repository: string, digest: Digest, image: Digest): void {
    const sql = 'INSERT INTO repo_digests VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET image = excluded.image'
    this.db.run(sql, repository, digest, image)
  }

  dropRepoDigest(repository: string, digest: Digest): boolean {
    const sql = 'DELETE FROM repo_digests WHERE repository = ? AND digest = ?'
    return this.db.run(sql, repository, digest).changes > 0
  }

  repoDigestsOf(image: Digest): { repository: string; digest: Digest }[] {
    return this.db.all('SELECT repository, digest FROM repo_digests WHERE image = ? ORDER BY 1, 2', image)
  }

  addKeep(keep: string, image: Digest): void {
    this.db.run('INSERT INTO keeps VALUES (?, ?) ON CONFLICT DO NOTHING', keep, image)
  }

  dropKeep(keep: string, image: Digest): void {
    this.db.run('DELETE FROM keeps WHERE keep = ? AND image = ?', keep, image)
  }

  keepsOf(image: Digest): string[] {
    return this.db
      .all<{ keep: string }>('SELECT keep FROM keeps WHERE image = ? ORDER BY keep', image)
      .map((row) => row.keep)
  }

  kept(keep: string): Digest[] {
    return ids(this.db.all('SELECT image AS id FROM keeps WHERE keep = ? ORDER BY 1', keep))
  }

  // Snapshots

  addSnapshot(key: string, layers: Digest[]): void {
    this.transaction(() => {
      this.db.run('INSERT INTO snapshots VALUES (?, ?)', key, Date.now())
      this.setSnapshotLayers(key, layers)
    })
  }

  setSnapshotLayers(key: string, layers: Digest[]): void {
    this.transaction(() => {
      this.db.run('DELETE FROM snapshot_layers WHERE snapshot = ?', key)
      for (const [position, diffId] of layers.entries())
        this.db.run('INSERT INTO snapshot_layers VALUES (?, ?, ?)', key, position, diffId)
    })
  }

  hasSnapshot(key: string): boolean {
    return this.db.get('SELECT 1 FROM snapshots WHERE key = ?', key) !== undefined
  }

  snapshotLayers(key: string): Digest[] {
    return ids(
      this.db.all('SELECT diff_id AS id FROM snapshot_layers WHERE snapshot = ? ORDER BY position', key),
    )
  }

  snapshotKeys(): string[] {
    return this.db.all<{ key: string }>('SELECT key FROM snapshots ORDER BY key').map((row) => row.key)
  }

  dropSnapshot(key: string): boolean {
    return this.db.run('DELETE FROM snapshots WHERE key = ?', key).changes > 0
  }

  blobs(): { digest: Digest; size: number }[] {
    return this.db.all('SELECT digest, size FROM blobs ORDER BY digest')
  }
}

function ids(rows: { id: Digest }[]): Digest[] {
  return rows.map((row) => row.id)
}

function toLayer(row: LayerRow): LayerRecord {
  const { diff_id: diffId, size, disk, tar_size: tarSize } = row
  return { diffId, size, disk, tarSize, ...(row.blob && { blob: row.blob }) }
}

function toImage(row: ImageRow): StoredImage {
  const config = JSON.parse(Buffer.from(row.config).toString()) as ImageConfig
  const { id, size, added } = row
  return { id, raw: row.config, config, size, added, ...(row.parent && { parent: row.parent }) }
}
