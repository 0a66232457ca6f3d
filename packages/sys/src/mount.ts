import fs from 'node:fs'
import { check, cstr, foreign } from './libc.ts'

const mount2 = foreign('mount', 'int', ['void *', 'void *', 'void *', 'ulong', 'void *'])
const umount2 = foreign('umount2', 'int', ['void *', 'int'])

/** Flags of mount(2). */
export const MS = {
  RDONLY: 0x1,
  NOSUID: 0x2,
  NODEV: 0x4,
  NOEXEC: 0x8,
  REMOUNT: 0x20,
  NOATIME: 0x400,
  BIND: 0x1000,
  MOVE: 0x2000,
  REC: 0x4000,
  UNBINDABLE: 0x20000,
  PRIVATE: 0x40000,
  SLAVE: 0x80000,
  SHARED: 0x100000,
} as const

const MNT_DETACH = 2
const UMOUNT_NOFOLLOW = 8

/** mount(2). @throws SysError */
export function mount(
  source: string | null,
  target: string,
  type: string | null,
  flags = 0,
  data: string | null = null,
): void {
  const string = (value: string | null) => (value === null ? null : cstr(value))
  const done = mount2(string(source), cstr(target), string(type), flags, string(data))
  check(done, 'mount', source === null ? { path: target } : { path: source, dest: target })
}

/**
 * umount2(2); never follows a symbolic link at `target`.
 * @param options.detach take it out of the tree at once, and finish when the last user is gone
 */
export function umount(target: string, options: { detach?: boolean } = {}): void {
  check(umount2(cstr(target), UMOUNT_NOFOLLOW | (options.detach ? MNT_DETACH : 0)), 'umount', {
    path: target,
  })
}

/** Like {@link umount} with detach, but a target that is gone or not a mount is fine: for cleaning up. */
export function umountIfMounted(target: string): boolean {
  try {
    umount(target, { detach: true })
    return true
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'EINVAL' || code === 'ENOENT') return false
    throw error
  }
}

/** {@link umountIfMounted} on a pool thread: an overlay writes its upper layer to the disk first. */
export async function umountLater(target: string): Promise<boolean> {
  if ((await umount2.async(cstr(target), UMOUNT_NOFOLLOW | MNT_DETACH)) >= 0) return true
  return umountIfMounted(target) // once more here, where the reason can be read
}

/** Shows `source` (file or directory) at `target` too. A read-only bind takes two calls, both done here. */
export function bindMount(
  source: string,
  target: string,
  options: { recursive?: boolean; readonly?: boolean } = {},
): void {
  mount(source, target, null, MS.BIND | (options.recursive ? MS.REC : 0))
  if (!options.readonly) return
  try {
    remountReadonly(target)
  } catch (error) {
    umount(target, { detach: true })
    throw error
  }
}

/** Makes an existing bind mount read-only, keeping its other flags. Submounts are not touched. */
export function remountReadonly(target: string): void {
  const options = listMounts().findLast((m) => m.target === fs.realpathSync(target))?.options ?? []
  const kept = Object.entries(keepOnRemount).filter(([name]) => options.includes(name))
  const flags = kept.reduce((sum, [, flag]) => sum | flag, 0)
  mount(null, target, null, MS.REMOUNT | MS.BIND | MS.RDONLY | flags)
}

const keepOnRemount = { nosuid: MS.NOSUID, nodev: MS.NODEV, noexec: MS.NOEXEC, noatime: MS.NOATIME }

/** Stops mounts below `target` from spreading to other mount namespaces. `target` must be a mount. */
export function makePrivate(target: string): void {
  mount(null, target, null, MS.PRIVATE | MS.REC)
}

/** A line of /proc/self/mountinfo, see proc_pid_mountinfo(5). */
export interface MountInfo {
  id: number
  parent: number
  root: string
  target: string
  /** Options of this mount, for example `rw`, `nosuid`. */
  options: string[]
  type: string
  source: string
  /** Options of the file system, for example `lowerdir=...`. */
  superOptions: string[]
}

/** All mounts of this process's mount namespace, in mount order. */
export function listMounts(): MountInfo[] {
  const text = fs.readFileSync('/proc/self/mountinfo', 'utf8')
  return text.split('\n').filter(Boolean).map(parseMountInfo)
}

/** Whether something is mounted exactly at `path`. */
export function isMountPoint(path: string): boolean {
  const real = fs.realpathSync(path)
  return listMounts().some((m) => m.target === real)
}

function parseMountInfo(line: string): MountInfo {
  const dash = line.indexOf(' - ')
  const left = line.slice(0, dash).split(' ')
  const right = line.slice(dash + 3).split(' ')
  return {
    id: Number(left[0]),
    parent: Number(left[1]),
    root: unescapeOctal(left[3] ?? ''),
    target: unescapeOctal(left[4] ?? ''),
    options: (left[5] ?? '').split(','),
    type: right[0] ?? '',
    source: unescapeOctal(right[1] ?? ''),
    superOptions: (right[2] ?? '').split(','),
  }
}

/** Space, tab, newline and backslash stand in the file as octal numbers, byte by byte. */
function unescapeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
