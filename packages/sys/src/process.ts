import { constants } from 'node:os'
import { check, close, foreign } from './libc.ts'
import { Readiness } from './readiness.ts'

const pidfdOpenCall = foreign('syscall', 'long', ['long', 'int', 'uint'])
const pidfdSendSignalCall = foreign('syscall', 'long', ['long', 'int', 'int', 'void *', 'uint'])
const prctl = foreign('prctl', 'int', ['int', 'ulong', 'ulong', 'ulong', 'ulong'])

const PIDFD_OPEN = 434
const PIDFD_SEND_SIGNAL = 424
const PR_SET_CHILD_SUBREAPER = 36

/**
 * A handle on a process that, unlike its number, never comes to mean another one.
 * @returns a descriptor that the caller closes; @throws SysError ESRCH where there is no such process
 */
export function pidfdOpen(pid: number): number {
  return check(pidfdOpenCall(PIDFD_OPEN, pid, 0), 'pidfd_open', { path: `process ${pid}` })
}

/** Sends a signal through a handle. @throws SysError ESRCH when the process is gone */
export function pidfdSendSignal(fd: number, signal: NodeJS.Signals | number): void {
  const number = typeof signal === 'number' ? signal : constants.signals[signal]
  check(pidfdSendSignalCall(PIDFD_SEND_SIGNAL, fd, number, null, 0), 'pidfd_send_signal', {
    path: `${signal}`,
  })
}

/**
 * Waits until a process ends; it need not be a child. Costs no thread. A process that is gone already counts
 * as ended.
 * @param options.signal gives up waiting
 */
export function processEnd(pid: number, options: { signal?: AbortSignal } = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const { signal } = options
    if (signal?.aborted) return reject(signal.reason)
    let fd: number
    try {
      fd = pidfdOpen(pid)
    } catch (error) {
      return (error as { code?: string }).code === 'ESRCH' ? resolve() : reject(error)
    }
    const stop = () => {
      signal?.removeEventListener('abort', abort)
      readiness.close()
      close(fd)
    }
    const abort = () => {
      stop()
      reject(signal?.reason)
    }
    const readiness = new Readiness(fd, () => {
      stop()
      resolve()
    })
    readiness.want({ readable: true })
    signal?.addEventListener('abort', abort)
  })
}

/** Orphaned descendants become children of this process instead of pid 1's (prctl(2)). */
export function setChildSubreaper(on: boolean): void {
  check(prctl(PR_SET_CHILD_SUBREAPER, on ? 1 : 0, 0, 0, 0), 'prctl', { path: 'child subreaper' })
}
