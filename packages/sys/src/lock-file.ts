import fs from 'node:fs'
import { SysError } from './errors.ts'
import { errno, foreign } from './libc.ts'

const flock = foreign('flock', 'int', ['int', 'int'])

const LOCK_EX = 2
const LOCK_NB = 4
const EWOULDBLOCK = 11

/** Another process holds the lock. */
export class LockHeldError extends Error {
  override readonly name = 'LockHeldError'
  readonly code = 'ELOCKED'
  readonly path: string
  /** The process that holds it, as far as it wrote its number down. */
  readonly pid?: number

  constructor(path: string, pid: number | undefined) {
    const holder = pid === undefined ? 'another process' : `process ${pid}`
    super(`${path} is locked by ${holder}. Stop that process first, or wait until it ends`)
    this.path = path
    this.pid = pid
  }
}

/** A lock that is held until `close`, or until the process ends in whatever way. */
export interface FileLock extends Disposable {
  path: string
  close(): void
}

/**
 * Takes the exclusive lock of a file, which is made (mode 0600) where it is missing, and writes this
 * process's number into it. Never waits. The file stays after closing: removing it would race.
 * @throws LockHeldError
 */
export function lockFile(path: string): FileLock {
  const fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600)
  if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
    const reason = errno()
    const holder = Number.parseInt(fs.readFileSync(fd, 'latin1'), 10)
    fs.closeSync(fd)
    if (reason !== EWOULDBLOCK) throw new SysError('flock', reason, { path })
    throw new LockHeldError(path, Number.isNaN(holder) ? undefined : holder)
  }
  // In this order nothing of a file is given back that a full disk would not give again.
  fs.ftruncateSync(fd, fs.writeSync(fd, `${process.pid}\n`, 0))
  let open = true
  const close = () => {
    if (open) fs.closeSync(fd)
    open = false
  }
  return { path, close, [Symbol.dispose]: close }
}
