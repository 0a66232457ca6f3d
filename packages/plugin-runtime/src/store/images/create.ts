/** Images made from a configuration over layers that are here. @module */
import { type Digest, type ImageConfig, invalid, notFound } from '@kernel/contracts'
import { digestOf } from '../content.ts'
import type { StoredImage } from '../records.ts'
import { fullName, parseReference, withDefaultTag } from '../reference.ts'
import { BUILD_CACHE } from './describe.ts'
import type { ImageParts } from './parts.ts'

/** One form for one content: keys sorted, so that the same configuration gets the same id. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

/** The names under which a new image is to be known, at once with it. */
export interface Naming {
  tags?: string[]
  parent?: Digest
  keep?: string
  repoDigest?: { repository: string; digest: Digest }
}

/**
 * Records an image by the bytes of its configuration. On the disk when it returns, except what only the build
 * cache pins: that may be lost with the power.
 * @throws not-found where a layer is missing
 */
export async function storeImage(parts: ImageParts, raw: Uint8Array, naming: Naming): Promise<StoredImage> {
  const config = JSON.parse(Buffer.from(raw).toString()) as ImageConfig
  const id = digestOf(raw)
  const diffIds = config.rootfs.diff_ids
  const tags = (naming.tags ?? []).map(tagName)
  const release = parts.holds.hold(diffIds)
  try {
    const missing = diffIds.find((diffId) => !parts.records.layer(diffId))
    if (missing) throw notFound(`the image cannot be made: there is no layer ${missing}`)
    const fleeting = naming.keep === BUILD_CACHE && tags.length === 0
    if (!fleeting) await parts.layers.sync(diffIds)
    const size = diffIds.reduce((sum, diffId) => sum + (parts.records.layer(diffId)?.size ?? 0), 0)
    parts.records.transaction(() => {
      const parent = naming.parent === id ? undefined : naming.parent
      parts.records.addImage({ id, raw, config, size, added: Date.now(), ...(parent && { parent }) })
      for (const name of tags) parts.records.setTag(name, id)
      if (naming.keep !== undefined) parts.records.addKeep(naming.keep, id)
      if (naming.repoDigest)
        parts.records.setRepoDigest(naming.repoDigest.repository, naming.repoDigest.digest, id)
    })
    parts.holds.unmarkFresh(diffIds)
    return parts.records.image(id)!
  } finally {
    release()
  }
}

/** What a tag is recorded as. @throws invalid for a name with a digest */
export function tagName(text: string): string {
  const ref = withDefaultTag(parseReference(text))
  if (ref.digest) throw invalid('refusing to create a tag with a digest reference')
  return fullName(ref)
}
