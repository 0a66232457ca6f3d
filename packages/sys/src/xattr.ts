import { SysError } from './errors.ts'
import { check, cstr, errno, foreign } from './libc.ts'

const lgetxattr = foreign('lgetxattr', 'long', ['void *', 'void *', 'void *', 'size_t'])
const lsetxattr = foreign('lsetxattr', 'int', ['void *', 'void *', 'void *', 'size_t', 'int'])
const llistxattr = foreign('llistxattr', 'long', ['void *', 'void *', 'size_t'])
const lremovexattr = foreign('lremovexattr', 'int', ['void *', 'void *'])

const ENODATA = 61
const ERANGE = 34
const EOPNOTSUPP = 95

/** The attribute by which overlayfs marks a directory that hides those below it. */
export const OVERLAY_OPAQUE = 'trusted.overlay.opaque'

type Path = string | Buffer

/** The value of an extended attribute, never through a symbolic link; `undefined` where it is not set. */
export function lgetXattr(path: Path, name: string): Buffer | undefined {
  return read('lgetxattr', path, (buffer, size) => lgetxattr(cstr(path), cstr(name), buffer, size))
}

/** Sets an extended attribute, never through a symbolic link. @throws SysError */
export function lsetXattr(path: Path, name: string, value: string | Buffer): void {
  const bytes = Buffer.from(value)
  const done = lsetxattr(cstr(path), cstr(name), bytes, bytes.length, 0)
  check(done, 'lsetxattr', { path: String(path), detail: name })
}

/** The names of all extended attributes; empty where the file system has none. */
export function llistXattr(path: Path): string[] {
  const bytes = read('llistxattr', path, (buffer, size) => llistxattr(cstr(path), buffer, size))
  return bytes ? bytes.toString('utf8').split('\0').filter(Boolean) : []
}

/** Removes an extended attribute; returns whether it was there. */
export function lremoveXattr(path: Path, name: string): boolean {
  const done = lremovexattr(cstr(path), cstr(name))
  if (done < 0 && errno() === ENODATA) return false
  check(done, 'lremovexattr', { path: String(path), detail: name })
  return true
}

/** Marks a directory of an upper layer so that overlayfs shows nothing of the layers below it. */
export function setOpaque(dir: Path): void {
  lsetXattr(dir, OVERLAY_OPAQUE, 'y')
}

/** Whether a directory of an upper layer hides those below it. */
export function isOpaque(dir: Path): boolean {
  return lgetXattr(dir, OVERLAY_OPAQUE)?.toString('latin1') === 'y'
}

/** Most values are short; a longer one is asked for its size, which may change between the two calls. */
function read(
  syscall: string,
  path: Path,
  call: (buffer: Buffer | null, size: number) => number,
): Buffer | undefined {
  for (let size = 256; ; ) {
    const buffer = Buffer.alloc(size)
    const length = call(buffer, size)
    if (length >= 0) return buffer.subarray(0, length)
    const reason = errno()
    if (reason === ENODATA || reason === EOPNOTSUPP) return undefined
    if (reason !== ERANGE) throw new SysError(syscall, reason, { path: String(path) })
    size = check(call(null, 0), syscall, { path: String(path) }) + 256
  }
}
