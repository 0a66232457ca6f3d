import path from 'node:path'
import { invalid } from '@kernel/contracts'

/** One of HostConfig.Binds, taken apart. */
export interface BindSpec {
  /** A host folder, a volume's name, or nothing: an anonymous volume. */
  source?: string
  destination: string
  readonly: boolean
  /** As it was given, for inspect. */
  mode: string
  propagation: string
  /** The volume is not filled from the image. */
  nocopy: boolean
}

const PROPAGATIONS = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']
/** SELinux labels and macOS consistency: accepted, and without a meaning on this host. */
const IGNORED = ['z', 'Z', 'cached', 'consistent', 'delegated', 'default']

/**
 * Takes apart `source:destination:mode`, `source:destination` or `destination`.
 * Source: Docker Engine API, HostConfig.Binds; modes as moby's linux_parser.
 * @throws invalid with Docker's own words
 */
export function parseBind(spec: string): BindSpec {
  const wrong = (why?: string) => invalid(`invalid volume specification: '${spec}'${why ? `: ${why}` : ''}`)
  const parts = spec.split(':')
  if (parts.length > 3 || parts.includes('')) throw wrong()
  const [first = '', second, third] = parts
  if (second === undefined)
    return { destination: checkDestination(first, wrong), ...parseMode('', true, wrong) }
  // `name:ro` can only be a destination with a mode where the second part is no path, which Docker refuses.
  const named = !path.isAbsolute(first)
  if (first.includes('/') && named) {
    throw wrong(`${first} is neither an absolute path nor a volume name`)
  }
  return {
    source: named ? first : path.normalize(first),
    destination: checkDestination(second, wrong),
    ...parseMode(third ?? '', named, wrong),
  }
}

/** @throws by `wrong` where it is not absolute, or the root itself */
export function checkDestination(destination: string, wrong: (why?: string) => Error): string {
  if (!path.isAbsolute(destination))
    throw wrong(`invalid mount path: '${destination}' mount path must be absolute`)
  const clean = path.normalize(destination).replace(/(?<=.)\/+$/, '')
  if (clean === '/') throw wrong("destination can't be '/'")
  return clean
}

function parseMode(mode: string, volume: boolean, wrong: (why?: string) => Error) {
  const result = { readonly: false, mode, propagation: volume ? '' : 'rprivate', nocopy: false }
  const seen = new Set<string>()
  for (const word of mode === '' ? [] : mode.split(',')) {
    const group = ['ro', 'rw'].includes(word) ? 'access' : PROPAGATIONS.includes(word) ? 'propagation' : word
    if (seen.has(group)) throw invalid(`invalid mode: ${mode}`)
    seen.add(group)
    if (word === 'ro') result.readonly = true
    else if (word === 'nocopy' && volume) result.nocopy = true
    else if (PROPAGATIONS.includes(word)) {
      if (volume) throw wrong(`propagation ${word} is for host folders, not for volumes`)
      result.propagation = word
    } else if (word !== 'rw' && !IGNORED.includes(word)) throw invalid(`invalid mode: ${mode}`)
  }
  return result
}
