import { getSystemErrorMap } from 'node:util'

/** Where a foreign call failed: the path or name it was given. */
export interface SysErrorContext {
  path?: string
  dest?: string
  /** What the kernel itself said beyond the number (mount log, netlink extended ack). */
  detail?: string
}

/**
 * A system call that the kernel refused. Shaped like Node's own fs errors (`code`, `errno`, `syscall`,
 * `path`), so that code which asks `err.code === 'ENOENT'` works for both.
 */
export class SysError extends Error {
  override readonly name = 'SysError'
  readonly syscall: string
  /** The positive number of errno(3), for example 1 for EPERM. */
  readonly errno: number
  readonly code: string
  readonly path?: string
  readonly dest?: string

  constructor(syscall: string, errno: number, context: SysErrorContext = {}) {
    const { code, message } = describeErrno(errno)
    const to = context.dest === undefined ? '' : ` -> ${context.dest}`
    const where = context.path === undefined ? '' : ` ${context.path}${to}`
    const detail = context.detail ? `: ${context.detail}` : ''
    super(`${syscall}${where}: ${message} (${code})${detail}${hint(code)}`)
    this.syscall = syscall
    this.errno = errno
    this.code = code
    this.path = context.path
    this.dest = context.dest
  }
}

/** Thrown where this machine has no foreign calls at all (another system than Linux, no libc, no koffi). */
export class SysUnavailableError extends Error {
  override readonly name = 'SysUnavailableError'
  readonly code = 'ENOSYS'
}

/** The name and sentence of an errno, from the table of Node's own libuv. */
export function describeErrno(errno: number): { code: string; message: string } {
  const known = getSystemErrorMap().get(-errno)
  if (known) return { code: known[0], message: known[1] }
  const extra = beyondLibuv[errno]
  return extra ?? { code: `E${errno}`, message: `error ${errno}` }
}

/** Linux numbers (asm-generic) that libuv has no name for but our calls meet. */
const beyondLibuv: Record<number, { code: string; message: string }> = {
  15: { code: 'ENOTBLK', message: 'block device required' },
  61: { code: 'ENODATA', message: 'no data available' },
  74: { code: 'EBADMSG', message: 'not a message of this kind' },
  75: { code: 'EOVERFLOW', message: 'value too large' },
  116: { code: 'ESTALE', message: 'stale file handle' },
}

function hint(code: string): string {
  return code === 'EPERM' ? '. This needs root (or the matching capability)' : ''
}
