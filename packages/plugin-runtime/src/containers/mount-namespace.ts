/** A mount namespace of one's own: what is mounted in it is seen by nobody else, and ends with it. @module */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { failed } from '@kernel/contracts'
import { findProgram, runProgram } from '../host/programs.ts'

export interface MountNamespace {
  /** The file system as it is seen in there: a path of this machine behind `/proc/PID/root`. */
  path(path: string): string
  /** Binds `source`, and what is mounted in it, to `target`; both are real paths, without links. */
  bind(source: string, target: string): Promise<void>
  /** Takes everything back. The kernel does the same when this process dies. */
  close(): Promise<void>
}

/** @throws failed where util-linux is missing */
export async function openMountNamespace(): Promise<MountNamespace> {
  const unshare = findProgram('unshare')
  const nsenter = findProgram('nsenter')
  const mount = findProgram('mount')
  if (!unshare || !nsenter || !mount)
    throw failed('A stopped container’s volumes can’t be shown: unshare, nsenter or mount is missing', {
      hint: 'Install util-linux.',
    })
  // It lives as long as its input is open: until `close`, or the end of the daemon, however that comes.
  const holder = spawn(
    unshare,
    ['--mount', '--propagation', 'private', '/bin/sh', '-c', 'echo ready; read -r _'],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  )
  const closed = once(holder, 'close')
  holder.stdin.on('error', () => {})
  const [first] = (await Promise.race([once(holder.stdout, 'data'), closed])) as [unknown]
  if (!Buffer.isBuffer(first)) throw failed('A mount namespace can’t be made on this machine')
  return {
    path: (path) => `/proc/${holder.pid}/root${path}`,
    async bind(source, target) {
      const inside = [`--mount=/proc/${holder.pid}/ns/mnt`, '--']
      const { code, stderr } = await runProgram(nsenter, [
        ...inside,
        ...[mount, '--no-canonicalize', '--rbind', '--', source, target],
      ])
      if (code !== 0) throw failed(`${source} can’t be shown at ${target}: ${stderr.trim()}`)
    },
    async close() {
      holder.stdin.end()
      await closed
    },
  }
}
