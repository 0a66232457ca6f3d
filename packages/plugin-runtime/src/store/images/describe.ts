/** What the store tells of images: lists, details, history. @module */
import { type Digest, type ImageHistory, type ImageSummary, invalid } from '@kernel/contracts'
import type { Records, StoredImage } from '../records.ts'
import { familiar, familiarRepository, parseReference } from '../reference.ts'
import { isMatch } from './match.ts'
import type { ImageParts } from './parts.ts'
import { findImage } from './resolve.ts'

/** Docker's zero time. */
const NEVER = '0001-01-01T00:00:00Z'
/** Images that only the build cache pins are in between, and not listed. */
export const BUILD_CACHE = 'build-cache'

export function summarize(parts: ImageParts, image: StoredImage): ImageSummary {
  const { records, users } = parts
  return {
    id: image.id,
    repoTags: records.tagsOf(image.id).map(familiar),
    repoDigests: records
      .repoDigestsOf(image.id)
      .map(({ repository, digest }) => digestName(repository, digest)),
    created: image.config.created ?? NEVER,
    size: image.size,
    labels: image.config.config?.Labels ?? {},
    parentId: image.parent ?? '',
    containers: users.of(image.id).length,
  }
}

/** `busybox@sha256:...` of a repository as it is recorded. */
export function digestName(repository: string, digest: Digest): string {
  return `${familiarRepository(parseReference(repository))}@${digest}`
}

/** Newest first. @throws invalid for a filter that Docker has not */
export function listImages(
  parts: ImageParts,
  options: { all?: boolean; filters?: Record<string, string[]> } = {},
): ImageSummary[] {
  const filters = options.filters ?? {}
  const accept = imageFilter(parts.records, filters)
  return parts.records
    .images()
    .filter((image) => options.all || isListed(parts.records, image.id))
    .map((image) => summarize(parts, image))
    .filter(accept)
    .map((summary) => narrowed(summary, filters.reference ?? []))
    .sort((a, b) => Date.parse(b.created) - Date.parse(a.created))
}

/** An image without a name that others were built on, or that only the build cache needs, is an intermediate one. */
function isListed(records: Records, id: Digest): boolean {
  if (isNamed(records, id)) return true
  return records.children(id).length === 0 && !records.keepsOf(id).includes(BUILD_CACHE)
}

function isNamed(records: Records, id: Digest): boolean {
  return records.tagsOf(id).length > 0 || records.repoDigestsOf(id).length > 0
}

type Accept = (image: ImageSummary) => boolean

/** Filters of `GET /images/json`: all kinds must match, of the values of one kind any (labels: all). */
export function imageFilter(records: Records, filters: Record<string, string[]>): Accept {
  const accepts = Object.entries(filters).map(([name, values]): Accept => {
    switch (name) {
      case 'dangling': {
        const wanted = boolean(name, values)
        return (image) => wanted === undefined || (image.repoTags.length === 0) === wanted
      }
      case 'reference':
        return (image) => values.some((pattern) => namesOf(image).some((ref) => isMatch(ref, pattern)))
      case 'label':
        return (image) => values.every((label) => hasLabel(image.labels, label))
      case 'label!':
        return (image) => !values.some((label) => hasLabel(image.labels, label))
      case 'before':
      case 'since': {
        const times = values.map((ref) => createdOf(records, ref))
        return (image) => {
          const own = Date.parse(image.created)
          return times.every((time) => (name === 'before' ? own < time : own > time))
        }
      }
      case 'until': {
        const limits = values.map(untilTime)
        return (image) => limits.every((limit) => Date.parse(image.created) < limit)
      }
      default:
        throw invalid(`invalid filter '${name}'`)
    }
  })
  return (image) => accepts.every((accept) => accept(image))
}

/** With a reference filter only the names that match are shown. */
function narrowed(image: ImageSummary, patterns: string[]): ImageSummary {
  if (patterns.length === 0) return image
  const keep = (ref: string) => patterns.some((pattern) => isMatch(ref, pattern))
  return { ...image, repoTags: image.repoTags.filter(keep), repoDigests: image.repoDigests.filter(keep) }
}

const namesOf = (image: ImageSummary) => [...image.repoTags, ...image.repoDigests]

function boolean(name: string, values: string[]): boolean | undefined {
  const truths = values.map((value) => {
    if (['1', 'true', 'True', 'TRUE', 't', 'T'].includes(value)) return true
    if (['0', 'false', 'False', 'FALSE', 'f', 'F'].includes(value)) return false
    throw invalid(`invalid value for filter '${name}': ${JSON.stringify(value)}`)
  })
  return new Set(truths).size === 1 ? truths[0] : undefined
}

function hasLabel(labels: Record<string, string>, wanted: string): boolean {
  const equals = wanted.indexOf('=')
  const key = equals < 0 ? wanted : wanted.slice(0, equals)
  if (!Object.hasOwn(labels, key)) return false
  return equals < 0 || labels[key] === wanted.slice(equals + 1)
}

function createdOf(records: Records, ref: string): number {
  return Date.parse(findImage(records, ref).image.config.created ?? NEVER)
}

/** A time, seconds since 1970, or a duration back from now such as `24h`. */
function untilTime(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  if (parts.length > 0 && parts.map((part) => part[0]).join('') === text)
    return Date.now() - parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * units[unit!]!, 0)
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw invalid(`invalid value for filter 'until': ${JSON.stringify(text)}`)
  return time
}

/** Newest step first; ids are known for the image itself and for the parents that are still here. */
export function imageHistory(
  records: Records,
  image: StoredImage,
): Array<ImageHistory & { id: string; size: number; tags: string[] }> {
  const sizes = image.config.rootfs.diff_ids.map((diffId) => records.layer(diffId)?.size ?? 0)
  const steps = image.config.history?.length
    ? image.config.history
    : image.config.rootfs.diff_ids.map((): ImageHistory => ({ created: image.config.created }))
  const rows = steps.map((step) => ({
    ...step,
    id: '<missing>',
    size: step.empty_layer ? 0 : (sizes.shift() ?? 0),
    tags: [] as string[],
  }))
  rows.reverse()
  let at: StoredImage | undefined = image
  for (const row of rows) {
    if (!at) break
    row.id = at.id
    row.tags = records.tagsOf(at.id).map(familiar)
    at = at.parent ? records.image(at.parent) : undefined
  }
  return rows
}
