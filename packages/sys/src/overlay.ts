import fs from 'node:fs'
import { SysError } from './errors.ts'
import { check, cstr, errno, foreign, using } from './libc.ts'
import { MS, mount } from './mount.ts'

/** What to lay over what; see the kernel's Documentation/filesystems/overlayfs.rst. */
export interface OverlayMount {
  /** Read-only layers, the topmost first. At least one, or two where there is no `upper`. */
  lower: string[]
  /** The writable layer, with `work`: an empty directory on the same file system. Without: read-only. */
  upper?: string
  work?: string
  target: string
  readonly?: boolean
  /** Further overlay options, for example `['metacopy=off', 'userxattr']`. */
  options?: string[]
}

// New mount calls have one number on every architecture (asm-generic/unistd.h).
const FSOPEN = 430
const FSCONFIG = 431
const FSMOUNT = 432
const MOVE_MOUNT = 429

const fsopen = foreign('syscall', 'long', ['long', 'void *', 'uint'])
const fsconfig = foreign('syscall', 'long', ['long', 'int', 'uint', 'void *', 'void *', 'int'])
const fsmount = foreign('syscall', 'long', ['long', 'int', 'uint', 'uint'])
const moveMount = foreign('syscall', 'long', ['long', 'int', 'void *', 'int', 'void *', 'uint'])

const FSCONFIG_SET_FLAG = 0
const FSCONFIG_SET_STRING = 1
const FSCONFIG_CMD_CREATE = 6
const CLOEXEC = 1
const MOVE_MOUNT_F_EMPTY_PATH = 4
const MOUNT_ATTR_RDONLY = 1
const AT_FDCWD = -100
const O_PATH = 0o10000000

/** fsconfig takes strings of 255 bytes; mount(2) one page with the final NUL. */
const STRING_LIMIT = 255
const PAGE_LIMIT = 4095

/**
 * Mounts an overlay of any number of layers (the kernel's own limit is 500). Uses the mount calls of Linux
 * 5.2 with `lowerdir+` (6.7); older kernels get mount(2), whose one page holds some 200 layers.
 * @throws SysError with the kernel's own words where it gives any
 */
export function mountOverlay(overlay: OverlayMount): void {
  if (!tryNewMount(overlay)) mountOverlayByOptions(overlay)
}

/** Returns false where the kernel is too old for this way. */
function tryNewMount(overlay: OverlayMount): boolean {
  const opened = fsopen(FSOPEN, cstr('overlay'), CLOEXEC)
  if (opened < 0) {
    if (errno() === 38 || errno() === 1) return false // ENOSYS, or EPERM from an old seccomp filter
    throw new SysError('fsopen', errno(), { path: 'overlay' })
  }
  return using(opened, (context) =>
    withShortPaths(STRING_LIMIT, (short) => {
      const set = (key: string, value: string) =>
        fsconfig(FSCONFIG, context, FSCONFIG_SET_STRING, cstr(key), cstr(value), 0)
      const must = (result: number, syscall: string, path: string) => {
        if (result >= 0) return result
        throw new SysError(syscall, errno(), { path, detail: readLog(context) })
      }
      must(set('source', 'overlay'), 'fsconfig', 'source')
      for (const [index, layer] of overlay.lower.entries()) {
        const done = set('lowerdir+', short(layer))
        if (done < 0 && index === 0 && errno() === 22) return false // EINVAL: this kernel knows no lowerdir+
        must(done, 'overlay lower layer', layer)
      }
      if (overlay.upper)
        must(set('upperdir', escapePath(short(overlay.upper))), 'overlay upper', overlay.upper)
      if (overlay.work) must(set('workdir', escapePath(short(overlay.work))), 'overlay work', overlay.work)
      for (const option of overlay.options ?? []) {
        const at = option.indexOf('=')
        const done =
          at < 0
            ? fsconfig(FSCONFIG, context, FSCONFIG_SET_FLAG, cstr(option), null, 0)
            : set(option.slice(0, at), option.slice(at + 1))
        must(done, 'overlay option', option)
      }
      const { target } = overlay
      must(fsconfig(FSCONFIG, context, FSCONFIG_CMD_CREATE, null, null, 0), 'mount overlay', target)
      const attributes = overlay.readonly ? MOUNT_ATTR_RDONLY : 0
      using(must(fsmount(FSMOUNT, context, CLOEXEC, attributes), 'fsmount', target), (made) => {
        const moved = moveMount(MOVE_MOUNT, made, cstr(''), AT_FDCWD, cstr(target), MOVE_MOUNT_F_EMPTY_PATH)
        check(moved, 'move_mount', { path: 'overlay', dest: target })
      })
      return true
    }),
  )
}

/** The way of older kernels: all layers in the option string of mount(2). @throws SysError E2BIG beyond a page */
export function mountOverlayByOptions(overlay: OverlayMount) {
  const rest = overlay.options ?? []
  const data = (name: (path: string) => string) => {
    const dirs = [`lowerdir=${overlay.lower.map(name).join(':')}`]
    if (overlay.upper) dirs.push(`upperdir=${name(overlay.upper)}`)
    if (overlay.work) dirs.push(`workdir=${name(overlay.work)}`)
    return [...dirs, ...rest].join(',')
  }
  const flags = overlay.readonly ? MS.RDONLY : 0
  const plain = data(escapePath)
  if (Buffer.byteLength(plain) <= PAGE_LIMIT) return mount('overlay', overlay.target, 'overlay', flags, plain)
  withShortPaths(0, (short) => {
    const brief = data(short)
    if (Buffer.byteLength(brief) > PAGE_LIMIT) {
      const detail = `${overlay.lower.length} layers do not fit one page of options; Linux 6.7 takes more`
      throw new SysError('mount', 7, { path: overlay.target, detail })
    }
    mount('overlay', overlay.target, 'overlay', flags, brief)
  })
}

/** Names a path that is longer than `limit` by an open descriptor, for as long as `fn` runs. */
function withShortPaths<T>(limit: number, fn: (short: (path: string) => string) => T): T {
  const open: number[] = []
  try {
    return fn((path) => {
      if (Buffer.byteLength(escapePath(path)) <= limit) return path
      const fd = fs.openSync(path, O_PATH)
      open.push(fd)
      return `/proc/self/fd/${fd}`
    })
  } finally {
    for (const fd of open) fs.closeSync(fd)
  }
}

/** `\`, `:` and `,` mean something in the option string, and `\` in upperdir and workdir everywhere. */
function escapePath(path: string): string {
  return path.replace(/[\\:,]/g, '\\$&')
}

/** What the kernel has to say about a failed mount: lines such as `e overlay: ...`. */
function readLog(context: number): string | undefined {
  const lines: string[] = []
  const buffer = Buffer.alloc(1024)
  for (let round = 0; round < 16; round++) {
    try {
      const length = fs.readSync(context, buffer)
      lines.push(
        buffer
          .toString('utf8', 0, length)
          .replace(/^[ewi] /, '')
          .trim(),
      )
    } catch {
      break // ENODATA: no more
    }
  }
  return lines.join('; ') || undefined
}
