/** Where a path of `docker cp` leads in a container. Source: moby, `daemon/archive.go` and `container/archive.go`. @module */
import fs, { type BigIntStats } from 'node:fs'
import { posix } from 'node:path'
import { type ContainerPathStat, failed, notFound } from '@kernel/contracts'
import { O_PATH, openInRoot, realpathInRoot, withParentInRoot } from '@kernel/sys'

export interface ArchivePlace {
  stat: ContainerPathStat
  /** The folder that is opened for tar, without any link, seen from inside. */
  folder: string
  /** The entry in it; undefined where the folder itself is meant. */
  entry: string | undefined
}

/**
 * The last part of a path is not followed where it is a link, unless a slash or `/.` comes after it.
 * @param root descriptor of the container's root
 * @param shown the container as the client called it, for the message
 * @throws not-found in dockerd's words
 */
export function locate(root: number, path: string, shown: string): ArchivePlace {
  const whole = absolutePath(path)
  try {
    const slash = whole.lastIndexOf('/')
    const base = whole.slice(slash + 1)
    if (base === '' || base === '.') {
      const folder = realpathInRoot(root, whole)
      return { stat: statOf(folderStat(root, folder), whole, ''), folder, entry: undefined }
    }
    const parent = realpathInRoot(root, whole.slice(0, slash) || '/')
    const entry = posix.join(parent, base)
    const found = withParentInRoot(root, entry, (at) => fs.lstatSync(at, { bigint: true }))
    const target = found.isSymbolicLink() ? realpathInRoot(root, whole, { missing: 'allow' }) : ''
    const stat = statOf(found, whole, target)
    return found.isDirectory()
      ? { stat, folder: entry, entry: undefined }
      : { stat, folder: parent, entry: base }
  } catch (error) {
    throw explained(error, path, shown)
  }
}

/** The folder that a tar is unpacked into: links are followed to their end. @throws not-found, failed */
export function locateFolder(root: number, path: string, shown: string): string {
  try {
    const folder = realpathInRoot(root, absolutePath(path))
    const fd = openInRoot(root, folder, O_PATH)
    try {
      if (!fs.fstatSync(fd).isDirectory()) throw failed('extraction point is not a directory')
    } finally {
      fs.closeSync(fd)
    }
    return folder
  } catch (error) {
    throw explained(error, path, shown)
  }
}

/** Cleaned and absolute, but a final slash or `/.` stays: it means something. */
export function absolutePath(path: string): string {
  const clean = posix.join('/', path).replace(/(?<=.)\/$/, '')
  const isCurrent = posix.basename(path) === '.'
  const withDot = isCurrent ? `${clean.replace(/\/$/, '')}/.` : clean
  return path.endsWith('/') && !withDot.endsWith('/') ? `${withDot}/` : withDot
}

/** The last part of a path as Go's filepath.Base tells it. */
export function baseName(path: string): string {
  return posix.basename(path) || '/'
}

function folderStat(root: number, folder: string): BigIntStats {
  const fd = openInRoot(root, folder, O_PATH | fs.constants.O_DIRECTORY)
  try {
    return fs.fstatSync(fd, { bigint: true })
  } finally {
    fs.closeSync(fd)
  }
}

function statOf(stat: BigIntStats, path: string, linkTarget: string): ContainerPathStat {
  return {
    name: baseName(path),
    size: Number(stat.size),
    mode: goFileMode(stat),
    mtime: rfc3339(stat.mtimeNs),
    linkTarget,
  }
}

/** Go's os.FileMode: the bits of kind do not stand where the kernel has them. */
export function goFileMode(stat: BigIntStats): number {
  const mode = Number(stat.mode)
  const bits: Array<[boolean, number]> = [
    [stat.isDirectory(), 31],
    [stat.isSymbolicLink(), 27],
    [stat.isBlockDevice() || stat.isCharacterDevice(), 26],
    [stat.isFIFO(), 25],
    [stat.isSocket(), 24],
    [(mode & 0o4000) !== 0, 23],
    [(mode & 0o2000) !== 0, 22],
    [stat.isCharacterDevice(), 21],
    [(mode & 0o1000) !== 0, 20],
  ]
  return bits.reduce((sum, [set, bit]) => sum + (set ? 2 ** bit : 0), mode & 0o777)
}

/** With the fraction that there is, as Go prints it. */
function rfc3339(nanoseconds: bigint): string {
  const seconds = nanoseconds / 1_000_000_000n
  const fraction = (nanoseconds % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '')
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19)
  return `${whole}${fraction && `.${fraction}`}Z`
}

function explained(error: unknown, path: string, shown: string): unknown {
  const { code } = error as { code?: string }
  if (code === 'ENOENT')
    return notFound(`Could not find the file ${path} in container ${shown}`, { cause: error })
  if (code === 'ENOTDIR') return failed(`lstat ${path}: not a directory`, { cause: error })
  if (code === 'ELOOP') return failed(`lstat ${path}: too many levels of symbolic links`, { cause: error })
  return error
}
