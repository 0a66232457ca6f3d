/** Finds images by what people and tools write: tag, digest, id, prefix of an id. @module */
import { type Digest, notFound } from '@kernel/contracts'
import type { Records, StoredImage } from '../records.ts'
import {
  familiarName,
  fullName,
  isDigest,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../reference.ts'

/** How an image was found. */
export interface Found {
  image: StoredImage
  /** The tag or digest that named it; undefined: it was named by its id. */
  by?: { kind: 'tag'; name: string } | { kind: 'digest'; repository: string; digest: Digest }
}

/**
 * The order is dockerd's: a whole id, a name, the beginning of an id.
 * @throws not-found `No such image: REF`; invalid where it can be no reference
 */
export function findImage(records: Records, ref: string): Found {
  const whole = /^[0-9a-f]{64}$/.test(ref) ? `sha256:${ref}` : ref
  if (isDigest(whole)) {
    const image = records.image(whole)
    if (image) return { image }
    throw notFound(`No such image: ${ref}`)
  }
  const prefix = /^(?:sha256:)?([0-9a-f]{1,64})$/.exec(ref)?.[1]
  const name = ref.startsWith('sha256:') ? undefined : withDefaultTag(parseReference(ref))
  const named = name && byName(records, name)
  if (named) return named
  const ids = prefix === undefined ? [] : records.imagesByPrefix(prefix)
  if (ids.length > 1) throw notFound(`No such image: ${ref}: multiple IDs found with provided prefix: ${ref}`)
  if (ids.length === 1) return { image: records.image(ids[0]!)! }
  throw notFound(`No such image: ${name ? familiarName(name) : ref}`)
}

function byName(records: Records, ref: Reference): Found | undefined {
  const { domain, path, digest } = ref
  const repository = fullName({ domain, path })
  // With both, the digest counts, as with dockerd.
  const id = digest ? records.repoDigest(repository, digest) : records.tag(fullName(ref))
  const image = id && records.image(id)
  if (!image) return undefined
  return { image, by: digest ? { kind: 'digest', repository, digest } : { kind: 'tag', name: fullName(ref) } }
}
