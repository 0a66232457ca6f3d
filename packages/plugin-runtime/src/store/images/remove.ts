/**
 * Removal with dockerd's rules and words. Source: moby `daemon/images/image_delete.go`.
 * @module
 */
import { conflict, type Digest } from '@kernel/contracts'
import type { StoredImage } from '../records.ts'
import { familiar, fullName, parseReference } from '../reference.ts'
import { BUILD_CACHE, digestName } from './describe.ts'
import { collectGarbage } from './garbage.ts'
import { type ImageParts, shortId } from './parts.ts'
import { type Found, findImage } from './resolve.ts'

export type Removal = { untagged: string } | { deleted: string }

/** Untags, and deletes where that was the last name; see {@link Images.remove}. @throws conflict, not-found */
export async function removeImage(
  parts: ImageParts,
  ref: string,
  options: { force?: boolean; noPrune?: boolean } = {},
): Promise<Removal[]> {
  const found = findImage(parts.records, ref)
  const force = options.force ?? false
  const removals: Removal[] = []
  parts.records.transaction(() => {
    if (found.by) {
      refuseLastName(parts, found, ref, force)
      removals.push(...untag(parts, found))
      if (isNamed(parts, found.image.id)) return
      removals.push(...deleteImage(parts, found.image, { force, prune: !options.noPrune, quiet: true }))
      return
    }
    if (!isSingleReference(parts, found.image.id)) {
      refuse(parts, found.image, { force, referenced: true })
    } else {
      refuse(parts, found.image, { force, referenced: false })
      removals.push(...untagAll(parts, found.image.id))
    }
    removals.push(...deleteImage(parts, found.image, { force, prune: !options.noPrune, quiet: false }))
  })
  for (const removal of removals) announce(parts, found.image.id, removal)
  await collectGarbage(parts)
  return removals
}

function announce(parts: ImageParts, id: Digest, removal: Removal): void {
  if ('untagged' in removal) parts.emit({ action: 'untag', id, name: removal.untagged })
  else parts.emit({ action: 'delete', id: removal.deleted })
}

/** The last name goes only by force while a container is using the image: it would be left without one. */
function refuseLastName(parts: ImageParts, { image }: Found, ref: string, force: boolean): void {
  const user = parts.users.of(image.id)[0]
  if (force || user === undefined || !isSingleReference(parts, image.id)) return
  throw conflict(
    `conflict: unable to remove repository reference "${ref}" (must force) - container ${shortId(user)} ` +
      `is using its referenced image ${shortId(image.id)}`,
  )
}

/** Takes one name away, and with a repository's last tag its digests. */
function untag(parts: ImageParts, { image, by }: Found): Removal[] {
  const { records } = parts
  if (by?.kind === 'digest') {
    records.dropRepoDigest(by.repository, by.digest)
    return [{ untagged: digestName(by.repository, by.digest) }]
  }
  if (by === undefined) return []
  records.dropTag(by.name)
  const repository = repositoryOf(by.name)
  const removals: Removal[] = [{ untagged: familiar(by.name) }]
  if (records.tagsOf(image.id).some((name) => repositoryOf(name) === repository)) return removals
  for (const other of records.repoDigestsOf(image.id)) {
    if (other.repository !== repository) continue
    records.dropRepoDigest(repository, other.digest)
    removals.push({ untagged: digestName(repository, other.digest) })
  }
  return removals
}

function untagAll(parts: ImageParts, id: Digest): Removal[] {
  const { records } = parts
  const removals: Removal[] = []
  for (const name of records.tagsOf(id)) {
    records.dropTag(name)
    removals.push({ untagged: familiar(name) })
  }
  for (const { repository, digest } of records.repoDigestsOf(id)) {
    records.dropRepoDigest(repository, digest)
    removals.push({ untagged: digestName(repository, digest) })
  }
  return removals
}

/** @param options.quiet a conflict just ends it: the caller has got what was asked for already */
function deleteImage(
  parts: ImageParts,
  image: StoredImage,
  options: { force: boolean; prune: boolean; quiet: boolean },
): Removal[] {
  const { records } = parts
  const problem = conflictOf(parts, image.id, { force: options.force, referenced: true })
  if (problem) {
    if (options.quiet) return []
    throw conflict(problem)
  }
  const removals = untagAll(parts, image.id)
  records.dropImage(image.id)
  removals.push({ deleted: image.id })
  const parent = options.prune && image.parent ? records.image(image.parent) : undefined
  if (parent) removals.push(...deleteImage(parts, parent, { force: false, prune: true, quiet: true }))
  return removals
}

interface Checks {
  force: boolean
  /** Names count as a reason against it. */
  referenced: boolean
}

function refuse(parts: ImageParts, image: StoredImage, checks: Checks): void {
  const problem = conflictOf(parts, image.id, checks)
  if (problem) throw conflict(problem)
}

/** Why the image can't be deleted; hard reasons first, which no force overcomes. */
function conflictOf(parts: ImageParts, id: Digest, { force, referenced }: Checks): string | undefined {
  const { records, users } = parts
  const because = (reason: string, forced: string) =>
    `conflict: unable to delete ${shortId(id)} (${forced}) - ${reason}`
  if (records.children(id).length > 0) return because('image has dependent child images', 'cannot be forced')
  const containers = users.of(id)
  const running = containers.find((container) => users.isRunning(container))
  if (running !== undefined)
    return because(`image is being used by running container ${shortId(running)}`, 'cannot be forced')
  const keep = records.keepsOf(id).find((name) => name !== BUILD_CACHE)
  if (keep !== undefined) return because(`image is kept by ${keep}`, 'cannot be forced')
  if (force) return undefined
  if (referenced && isNamed(parts, id))
    return because('image is referenced in multiple repositories', 'must be forced')
  const stopped = containers[0]
  if (stopped !== undefined)
    return because(`image is being used by stopped container ${shortId(stopped)}`, 'must be forced')
  return undefined
}

function isNamed({ records }: ImageParts, id: Digest): boolean {
  return records.tagsOf(id).length > 0 || records.repoDigestsOf(id).length > 0
}

/** At most one tag, and all names within one repository. */
function isSingleReference({ records }: ImageParts, id: Digest): boolean {
  const tags = records.tagsOf(id)
  const repositories = new Set([
    ...tags.map(repositoryOf),
    ...records.repoDigestsOf(id).map(({ repository }) => repository),
  ])
  return tags.length <= 1 && repositories.size <= 1
}

function repositoryOf(tag: string): string {
  const { domain, path } = parseReference(tag)
  return fullName({ domain, path })
}
