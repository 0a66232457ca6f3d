/** What the store has on the disk, and what keeps it. @module */
import fs from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest, LedgerEntry } from '@kernel/contracts'
import type { ImageParts } from './images/parts.ts'
import { familiar } from './reference.ts'
import type { OverlaySnapshots } from './snapshots.ts'

/** Blobs, partial downloads, layers, image configurations and snapshots; sorted by kind and id. */
export async function storeLedger(parts: ImageParts, snapshots: OverlaySnapshots): Promise<LedgerEntry[]> {
  const { records, content, layers } = parts
  const entries: LedgerEntry[] = []
  const layersOfBlob = new Map(records.layers().flatMap(({ diffId, blob }) => (blob ? [[blob, diffId]] : [])))
  for (const { digest, size } of records.blobs()) {
    const layer = layersOfBlob.get(digest)
    entries.push({
      kind: 'blob',
      id: digest,
      bytes: size,
      pinnedBy: layer ? [`layer ${layer}`] : heldBy(parts, digest),
    })
  }
  for (const { digest, size } of await content.partials())
    entries.push({ kind: 'partial', id: digest, bytes: size, pinnedBy: ['unfinished pull'] })
  for (const { diffId, disk } of records.layers()) {
    const pinnedBy = [
      ...records.imagesWithLayer(diffId).map((id) => `image ${imageName(parts, id)}`),
      ...records.snapshotsWithLayer(diffId).map((key) => `snapshot ${key}`),
    ]
    const bytes = disk + (await layers.recipeSize(diffId))
    entries.push({
      kind: 'layer',
      id: diffId,
      bytes,
      pinnedBy: pinnedBy.length > 0 ? pinnedBy : heldBy(parts, diffId),
    })
  }
  for (const image of records.images()) {
    const pinnedBy = [
      ...records.tagsOf(image.id).map((tag) => `tag ${familiar(tag)}`),
      ...records
        .repoDigestsOf(image.id)
        .map(({ repository, digest }) => `digest ${familiar(`${repository}@${digest}`)}`),
      ...records.keepsOf(image.id),
      ...records.children(image.id).map((id) => `image ${imageName(parts, id)}`),
      ...parts.users.of(image.id).map((container) => `container ${container}`),
    ]
    entries.push({
      kind: 'image',
      id: image.id,
      bytes: image.raw.length,
      pinnedBy: pinnedBy.length > 0 ? pinnedBy : ['dangling'],
    })
  }
  for (const key of await snapshots.keys())
    entries.push({
      kind: 'snapshot',
      id: key,
      bytes: await snapshots.usage(key),
      pinnedBy: [`container ${key}`],
    })
  for (const name of await fs.readdir(join(content.dir, 'tmp'))) {
    const { size } = await fs.stat(join(content.dir, 'tmp', name)).catch(() => ({ size: 0 }))
    entries.push({ kind: 'temporary', id: name, bytes: size, pinnedBy: ['running job'] })
  }
  return entries.sort((a, b) => compare(a.kind, b.kind) || compare(a.id, b.id))
}

/** Nothing refers to it: it is garbage, unless a pull or build is about to. */
function heldBy({ holds }: ImageParts, id: Digest): string[] {
  return holds.has(id) ? ['running job'] : []
}

function imageName({ records }: ImageParts, id: Digest): string {
  const [tag] = records.tagsOf(id)
  return tag ? familiar(tag) : id
}

const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b))
