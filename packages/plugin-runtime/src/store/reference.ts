/**
 * Names of images. Grammar and familiar form: github.com/distribution/reference, `normalize.go`, `regexp.go`.
 * @module
 */
import { type Digest, invalid } from '@kernel/contracts'

/** A parsed, normalized name: `busybox` is `docker.io` + `library/busybox` + tag `latest`. */
export interface Reference {
  /** Registry's host, with port where there is one. */
  domain: string
  path: string
  tag?: string
  digest?: Digest
}

const component = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/
const domainPattern =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/
const tagPattern = /^\w[\w.-]{0,127}$/
const digestPattern = /^sha256:[0-9a-f]{64}$/
const hexId = /^[0-9a-f]{64}$/

/** Whether the text is a whole digest, `sha256:` and 64 hex digits. */
export const isDigest = (text: string): text is Digest => digestPattern.test(text)

/**
 * Parses what a person writes for an image. Neither tag nor digest is added.
 * @throws invalid with dockerd's texts
 */
export function parseReference(text: string): Reference {
  if (hexId.test(text))
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`)
  const at = text.indexOf('@')
  const digest = at < 0 ? undefined : text.slice(at + 1)
  if (digest !== undefined && !isDigest(digest)) throw badFormat()
  const named = at < 0 ? text : text.slice(0, at)
  const colon = named.lastIndexOf(':')
  const hasTag = colon > named.lastIndexOf('/')
  const tag = hasTag ? named.slice(colon + 1) : undefined
  if (tag !== undefined && !tagPattern.test(tag)) throw badFormat()
  const { domain, path } = splitDomain(hasTag ? named.slice(0, colon) : named)
  if (path !== path.toLowerCase())
    throw invalid(`invalid reference format: repository name (${path}) must be lowercase`)
  if (!domainPattern.test(domain) || !path.split('/').every((part) => component.test(part))) throw badFormat()
  if (domain.length + path.length > 254) throw invalid('repository name must not be more than 255 characters')
  return { domain, path, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) }
}

/** A bare name means `:latest`. */
export function withDefaultTag(ref: Reference): Reference {
  return ref.tag === undefined && ref.digest === undefined ? { ...ref, tag: 'latest' } : ref
}

/** The whole name, as it is recorded: `docker.io/library/busybox:latest`. */
export function fullName(ref: Reference): string {
  return `${ref.domain}/${ref.path}${suffix(ref)}`
}

/** The name as Docker shows it: `busybox:latest`. */
export function familiarName(ref: Reference): string {
  return `${familiarRepository(ref)}${suffix(ref)}`
}

/** The name without tag and digest, as Docker shows it. */
export function familiarRepository(ref: Reference): string {
  if (ref.domain !== 'docker.io') return `${ref.domain}/${ref.path}`
  const short = ref.path.startsWith('library/') ? ref.path.slice('library/'.length) : ref.path
  return short.includes('/') && ref.path.startsWith('library/') ? ref.path : short
}

/** The familiar form of a whole name from the records. */
export const familiar = (full: string): string => familiarName(parseReference(full))

const suffix = (ref: Reference) =>
  `${ref.tag === undefined ? '' : `:${ref.tag}`}${ref.digest === undefined ? '' : `@${ref.digest}`}`

const badFormat = () => invalid('invalid reference format')

/** The first part is a host if it looks like one: a dot, a port, `localhost` or an upper-case letter. */
function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/')
  const first = slash < 0 ? '' : name.slice(0, slash)
  const isHost = /[.:A-Z]/.test(first) || first === 'localhost'
  const domain = !isHost || first === 'index.docker.io' ? 'docker.io' : first
  const rest = isHost ? name.slice(slash + 1) : name
  return { domain, path: domain === 'docker.io' && !rest.includes('/') ? `library/${rest}` : rest }
}
