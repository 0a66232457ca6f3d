import fs from 'node:fs'
import { check, foreign } from './libc.ts'
import { MS, mount, umountIfMounted } from './mount.ts'

const setns = foreign('setns', 'int', ['int', 'int'])
const unshare = foreign('unshare', 'int', ['int'])

const CLONE_NEWNET = 0x40000000
const OWN_NETNS = '/proc/thread-self/ns/net'

/** A network namespace: the path where it is held (`/run/netns/x`, `/proc/PID/ns/net`) or a descriptor of it. */
export type Netns = string | number

/** What `withNetns` takes: anything but a function that returns a promise. */
type Synchronous<T> = T extends PromiseLike<unknown> ? never : T

/**
 * Runs `fn` with the calling thread inside a network namespace, and comes back. Sockets that `fn` makes stay
 * in that namespace for good, and work from the event loop afterwards. `fn` must be synchronous: all that is
 * asynchronous would run outside, or worse, let others run inside.
 * @throws TypeError when `fn` is asynchronous, SysError when the namespace cannot be entered
 */
export function withNetns<T>(netns: Netns, fn: () => Synchronous<T>): T {
  refuseAsync(fn)
  const fd = typeof netns === 'number' ? netns : fs.openSync(netns, 'r')
  try {
    return elsewhere(() => check(setns(fd, CLONE_NEWNET), 'setns', { path: String(netns) }), fn)
  } finally {
    if (typeof netns === 'string') fs.closeSync(fd)
  }
}

/**
 * Makes a network namespace with nothing but a `lo` that is down, held by a bind mount at `path` (made anew,
 * its directory must exist), so that it lives without a process.
 * @throws SysError EEXIST where `path` exists
 */
export function createNetns(path: string): void {
  fs.closeSync(fs.openSync(path, 'wx', 0o600))
  try {
    elsewhere(
      () => check(unshare(CLONE_NEWNET), 'unshare'),
      () => mount(OWN_NETNS, path, null, MS.BIND),
    )
  } catch (error) {
    fs.unlinkSync(path)
    throw error
  }
}

/**
 * Lets go of a namespace made by {@link createNetns}; the kernel removes it, and the devices in it, when its
 * last process and socket are gone. A path that does not exist is fine. Takes half a millisecond; a veth in it
 * then goes away on both ends in the kernel's own time, where deleting the veth itself would block for 10 to
 * 40 ms.
 */
export function deleteNetns(path: string): void {
  umountIfMounted(path)
  fs.rmSync(path, { force: true })
}

/** Enters, runs, and returns to the thread's own network namespace. */
function elsewhere<T>(enter: () => void, fn: () => T): T {
  const home = fs.openSync(OWN_NETNS, 'r')
  try {
    enter()
    try {
      const result = fn()
      if (isThenable(result))
        throw new TypeError('the function run in a network namespace must be synchronous')
      return result
    } finally {
      comeBack(home)
    }
  } finally {
    fs.closeSync(home)
  }
}

/** A thread that stays in a container's network would speak for the host there: no going on from that. */
function comeBack(home: number): void {
  if (setns(home, CLONE_NEWNET) >= 0) return
  process.stderr.write('fatal: cannot return to the host network namespace; stopping before harm is done\n')
  process.abort()
}

function refuseAsync(fn: () => unknown): void {
  if (fn.constructor.name === 'AsyncFunction') {
    throw new TypeError('the function run in a network namespace must be synchronous')
  }
}

function isThenable(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
