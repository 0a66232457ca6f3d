/**
 * Walks a folder that something else may be writing to: a container's, for instance.
 * @module
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  type Stats,
} from 'node:fs'

/** Something in the tree. Texts are latin1: one character for each byte, as names need not be UTF-8. */
export interface Found {
  /** Relative to the root, without a slash at its end; `''` is the root. */
  path: string
  stat: Stats
  /** The target of a symbolic link, else `''`. */
  linkpath: string
  /** Opens a file for reading; undefined where it is gone, or is another one by now. The caller closes it. */
  open(): number | undefined
  /** Names a file by device and inode, so that hard links are known by it; undefined where it is gone. */
  identity(): string | undefined
}

/** Which paths to visit: `true` for all below. */
export type Selection = Map<string, Selection> | true

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants

/** The selection of these relative paths, each with all below it, and the folders that lead there. */
export function select(paths: readonly string[]): Selection {
  const root: Map<string, Selection> = new Map()
  for (const path of paths) {
    const names = latin1(path)
      .split('/')
      .filter((name) => name !== '' && name !== '.')
    if (names.includes('..')) throw new TypeError(`${JSON.stringify(path)} must not hold ".."`)
    let at: Selection = root
    for (const [i, name] of names.entries()) {
      const last = i === names.length - 1
      const next: Selection = at.get(name) ?? (last ? true : new Map())
      at.set(name, last ? true : next)
      if (next === true) break
      at = next
    }
    if (names.length === 0) return true
  }
  return root
}

/** A text's bytes, one character for each. */
export function latin1(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/**
 * All below a folder in the order of their names' bytes, a folder before what it holds. `rename` says under which
 * name each is sorted. What vanishes meanwhile is passed over. Each name is looked up in its folder's open handle
 * and no link is followed, so nobody can lead the walk out of the root by swapping a folder for a link.
 */
export function* walk(
  root: string,
  selection: Selection,
  rename: (found: Found) => string,
): Generator<Found> {
  const handle = openSync(root, O_RDONLY | O_DIRECTORY)
  try {
    const stat = fstatSync(handle)
    yield { path: '', stat, linkpath: '', open: () => undefined, identity: () => '' }
    yield* walkFolder(handle, '', selection, rename)
  } finally {
    closeSync(handle)
  }
}

function* walkFolder(
  folder: number,
  prefix: string,
  selection: Selection,
  rename: (found: Found) => string,
): Generator<Found> {
  const inFolder = (name: string) => Buffer.from(`/proc/self/fd/${folder}/${name}`, 'latin1')
  const names = readdirSync(`/proc/self/fd/${folder}`, { encoding: 'latin1' as BufferEncoding })
  const found: Array<[string, string, Found]> = []
  for (const name of names) {
    if (selection !== true && !selection.has(name)) continue
    const each = unlessGone(() => look(inFolder(name), prefix + name))
    if (each) found.push([rename(each), name, each])
  }
  found.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  for (const [, name, each] of found) {
    yield each
    if (!each.stat.isDirectory()) continue
    const below = unlessGone(() => openSync(inFolder(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
    if (below === undefined) continue
    try {
      yield* walkFolder(below, `${each.path}/`, selection === true ? true : selection.get(name)!, rename)
    } finally {
      closeSync(below)
    }
  }
}

function look(at: Buffer, path: string): Found {
  const stat = lstatSync(at)
  const linkpath = stat.isSymbolicLink() ? readlinkSync(at, { encoding: 'latin1' as BufferEncoding }) : ''
  return {
    path,
    stat,
    linkpath,
    open: () => {
      // Not to wait for a writer, should a pipe have taken the file's place.
      const file = unlessGone(() => openSync(at, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
      if (file === undefined || fstatSync(file).isFile()) return file
      closeSync(file)
      return undefined
    },
    identity: () => {
      // As numbers, inodes of overlays lose their last bits.
      const found = unlessGone(() => lstatSync(at, { bigint: true }))
      return found && `${found.dev}:${found.ino}`
    },
  }
}

function unlessGone<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
