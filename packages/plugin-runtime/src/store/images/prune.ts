/** `docker image prune`. Source: moby `daemon/images/image_prune.go`. @module */
import { invalid } from '@kernel/contracts'
import { imageFilter, summarize } from './describe.ts'
import { collectGarbage } from './garbage.ts'
import type { ImageParts } from './parts.ts'

const allowed = new Set(['dangling', 'label', 'label!', 'until'])

/**
 * Removes dangling images, with `dangling=false` all that no container uses; then half-fetched blobs too.
 * @returns ids of images, and names that were taken away
 */
export async function pruneImages(
  parts: ImageParts,
  filters: Record<string, string[]> = {},
): Promise<{ deleted: string[]; spaceReclaimed: number }> {
  const unknown = Object.keys(filters).find((name) => !allowed.has(name))
  if (unknown !== undefined) throw invalid(`invalid filter '${unknown}'`)
  const { dangling, ...others } = filters
  const all = dangling?.some((value) => ['0', 'false', 'False', 'FALSE', 'f', 'F'].includes(value)) ?? false
  const accept = imageFilter(parts.records, others)
  const deleted: string[] = []
  parts.records.transaction(() => {
    // What is built on others goes first, which sets its parents free.
    for (const image of parts.records.images().reverse()) {
      const summary = summarize(parts, image)
      const named = summary.repoTags.length + summary.repoDigests.length > 0
      if (!all && named) continue
      if (summary.containers > 0 || parts.records.children(image.id).length > 0) continue
      if (parts.records.keepsOf(image.id).length > 0) continue
      if (!accept(summary)) continue
      parts.records.dropImage(image.id)
      deleted.push(...summary.repoTags, image.id)
    }
  })
  for (const id of deleted) if (id.startsWith('sha256:')) parts.emit({ action: 'delete', id })
  let spaceReclaimed = await collectGarbage(parts)
  for (const { digest, size } of await parts.content.partials()) {
    if (parts.holds.has(digest)) continue
    await parts.content.removePartial(digest)
    spaceReclaimed += size
  }
  parts.emit({ action: 'prune', id: '' })
  return { deleted, spaceReclaimed }
}
