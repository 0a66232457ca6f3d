import fs from 'node:fs'
import { SysError } from './errors.ts'
import { check, cstr, errno, foreign, using } from './libc.ts'

const openat2 = foreign('syscall', 'long', ['long', 'int', 'void *', 'void *', 'size_t'])
const OPENAT2 = 437 // the same on every architecture

const RESOLVE_NO_MAGICLINKS = 0x02
const RESOLVE_IN_ROOT = 0x10
const EAGAIN = 11
const ENOENT = 2

const { O_DIRECTORY, O_NOFOLLOW, O_CREAT, O_RDONLY } = fs.constants
const O_CLOEXEC = 0o2000000
const O_TMPFILE = 0o20000000
/** A descriptor that only names a file; opening it needs no permission on the file itself. */
export const O_PATH = 0o10000000

/** A directory that paths must not leave: its path, or a descriptor of it (faster for many calls). */
export type Root = string | number

/**
 * Opens `path` as if `root` were `/`: absolute paths, `..` and symbolic links never lead out, even while a
 * container changes them (openat2 with RESOLVE_IN_ROOT, Linux 5.6).
 * @param mode permission bits where `flags` has O_CREAT; the umask applies
 * @returns a descriptor that the caller closes with `fs.closeSync`
 * @throws SysError, for example ENOENT, ELOOP, ENOTDIR
 */
export function openInRoot(root: Root, path: string, flags: number = O_RDONLY, mode = 0): number {
  if (typeof root === 'number') return openAt(root, path, flags, mode)
  return using(openRoot(root), (fd) => openAt(fd, path, flags, mode))
}

/** A descriptor of the directory itself, for {@link Root}; close it with `fs.closeSync`. */
export function openRoot(dir: string): number {
  return fs.openSync(dir, O_PATH | O_DIRECTORY | O_CLOEXEC)
}

function openAt(rootFd: number, path: string, flags: number, mode: number): number {
  const creates = (flags & O_CREAT) !== 0 || (flags & O_TMPFILE) === O_TMPFILE
  const how = Buffer.alloc(24) // struct open_how { u64 flags, mode, resolve }
  how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0)
  how.writeBigUInt64LE(BigInt(creates ? mode & 0o7777 : 0), 8)
  how.writeBigUInt64LE(BigInt(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), 16)
  const name = cstr(path === '' ? '.' : path)
  // EAGAIN: something was renamed while `..` was followed, so the kernel could not tell. Ask again.
  for (let tries = 0; tries < 128; tries++) {
    const fd = openat2(OPENAT2, rootFd, name, how, how.length)
    if (fd >= 0) return fd
    if (errno() !== EAGAIN) break
  }
  return check(-1, 'open', { path, detail: 'inside the root' })
}

/**
 * Follows symbolic links within the root only, and answers where `path` leads: an absolute path as seen from
 * inside the root. The answer is a snapshot; to act on it safely, open it with {@link openInRoot}.
 * @param options.missing `allow`: what does not exist is kept as it is written (links before it are followed)
 */
export function realpathInRoot(
  root: Root,
  path: string,
  options: { missing?: 'error' | 'allow' } = {},
): string {
  if (typeof root === 'string') return using(openRoot(root), (fd) => realpathInRoot(fd, path, options))
  const base = fs.readlinkSync(`/proc/self/fd/${root}`)
  const existing = (part: string) =>
    using(openAt(root, part, O_PATH, 0), (fd) => {
      const real = fs.readlinkSync(`/proc/self/fd/${fd}`)
      if (real === base) return '/'
      return base === '/' ? real : real.slice(base.length)
    })
  if (options.missing !== 'allow') return existing(path)
  return resolveMissing(root, path, existing, 0)
}

function resolveMissing(
  root: number,
  path: string,
  existing: (part: string) => string,
  links: number,
): string {
  try {
    return existing(path)
  } catch (error) {
    if (!(error instanceof SysError) || error.errno !== ENOENT) throw error
  }
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  const name = parts.pop()
  if (name === undefined) return '/'
  const parent = resolveMissing(root, `/${parts.join('/')}`, existing, links)
  if (name === '..') return parent.slice(0, Math.max(parent.lastIndexOf('/'), 1))
  const here = parent === '/' ? `/${name}` : `${parent}/${name}`
  const link = readlinkInRoot(root, here)
  if (link === undefined) return here
  if (links >= 40) throw new SysError('realpath', 40, { path })
  return resolveMissing(root, link.startsWith('/') ? link : `${parent}/${link}`, existing, links + 1)
}

/** The target of a link at `path`, or `undefined` where there is no link. */
function readlinkInRoot(root: number, path: string): string | undefined {
  try {
    return withParentInRoot(root, path, (entry) => fs.readlinkSync(entry))
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'ENOENT' || code === 'EINVAL' || code === 'ENOTDIR') return undefined
    throw error
  }
}

/**
 * Runs `fn` with a path to the entry that its parent directory, opened inside the root, can not be swapped
 * under: `/proc/self/fd/N/name`. For calls on the entry itself that do not follow it (lstat, symlink, mknod,
 * rename, unlink, lchown, xattrs). The path is good only until `fn` returns; `fn` is synchronous.
 */
export function withParentInRoot<T>(root: Root, path: string, fn: (entry: string, parentFd: number) => T): T {
  const slash = path.replace(/\/+$/, '').lastIndexOf('/')
  const name = path.replace(/\/+$/, '').slice(slash + 1)
  if (name === '' || name === '.' || name === '..') {
    throw new SysError('open', 22, { path, detail: 'the path names no entry of a directory' })
  }
  const parent = slash < 0 ? '.' : path.slice(0, slash + 1)
  return using(openInRoot(root, parent, O_PATH | O_DIRECTORY), (fd) => fn(`/proc/self/fd/${fd}/${name}`, fd))
}

/**
 * Makes `path` and its missing parents as directories, with exactly `mode` (no umask), following links only
 * within the root.
 * @returns the directories that were made, as paths inside the root, outermost first
 */
export function mkdirAllInRoot(root: Root, path: string, mode = 0o755): string[] {
  if (typeof root === 'string') return using(openRoot(root), (fd) => mkdirAllInRoot(fd, path, mode))
  const made: string[] = []
  const parts = realpathInRoot(root, path, { missing: 'allow' }).split('/').filter(Boolean)
  let here = ''
  for (const part of parts) {
    here += `/${part}`
    withParentInRoot(root, here, (entry) => {
      try {
        fs.mkdirSync(entry, mode)
      } catch (error) {
        if ((error as { code?: string }).code !== 'EEXIST') throw error
        return
      }
      fs.chmodSync(entry, mode)
      made.push(here)
    })
  }
  using(openInRoot(root, path, O_PATH | O_DIRECTORY), () => {}) // fails where a file stands in the way
  return made
}

/**
 * Removes an entry and everything in it, without ever following a link, even while others swap directories
 * for links. A missing entry is fine. Unmount what is mounted inside first.
 * @returns whether it was there
 */
export function removeInRoot(root: Root, path: string): boolean {
  try {
    return withParentInRoot(root, path, (entry) => removeEntry(entry))
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return false
    throw error
  }
}

/** Names are bytes: one that is not UTF-8 would be mangled as a string, and never be removed. */
function removeEntry(entry: string | Buffer): boolean {
  let dir: number
  try {
    dir = fs.openSync(entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'ENOENT') return false
    if (code !== 'ENOTDIR' && code !== 'ELOOP' && code !== 'ENXIO') throw error
    fs.unlinkSync(entry)
    return true
  }
  try {
    const inside = `/proc/self/fd/${dir}`
    for (const name of fs.readdirSync(inside, { encoding: 'buffer' })) {
      removeEntry(Buffer.concat([Buffer.from(`${inside}/`), name]))
    }
  } finally {
    fs.closeSync(dir)
  }
  fs.rmdirSync(entry)
  return true
}
