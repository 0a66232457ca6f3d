/** When a container that ended is started again (docs.docker.com, "Start containers automatically"). @module */
import { type HostConfig, invalid } from '@kernel/contracts'
import type { ContainerRecord } from './record.ts'

const FIRST_MS = 100
const LONGEST_MS = 60_000
/** Running this long makes it a success: the back-off begins anew. */
const RESET_MS = 10_000

/** @throws invalid in dockerd's words */
export function checkRestartPolicy(host: HostConfig): void {
  const { Name = '', MaximumRetryCount = 0 } = host.RestartPolicy ?? {}
  if (!['', 'no', 'always', 'unless-stopped', 'on-failure'].includes(Name))
    throw invalid(
      `invalid restart policy: unknown policy '${Name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    )
  if (MaximumRetryCount !== 0 && Name !== 'on-failure')
    throw invalid(`invalid restart policy: maximum retry count can only be used with 'on-failure'`)
  if (MaximumRetryCount < 0) throw invalid('invalid restart policy: maximum retry count cannot be negative')
  if (host.AutoRemove && Name !== '' && Name !== 'no')
    throw invalid("can't create 'AutoRemove' container with restart policy")
}

/** Whether a container that just ended is to be started again. */
export function restarts(record: ContainerRecord): boolean {
  if (record.manuallyStopped) return false
  const { Name = '', MaximumRetryCount = 0 } = record.hostConfig.RestartPolicy ?? {}
  if (Name === 'always' || Name === 'unless-stopped') return true
  if (Name !== 'on-failure' || record.exitCode === 0) return false
  return MaximumRetryCount === 0 || record.restartCount < MaximumRetryCount
}

/** Whether a daemon that starts brings a stopped container up again. */
export function startsWithDaemon(record: ContainerRecord): boolean {
  const { Name = '' } = record.hostConfig.RestartPolicy ?? {}
  if (record.status === 'created' || record.status === 'dead' || record.status === 'removing') return false
  if (Name === 'always') return true
  return (Name === 'unless-stopped' && !record.manuallyStopped) || (Name === 'on-failure' && restarts(record))
}

/** The pause before the next start, doubling from 100 ms to a minute. */
export function nextDelay(previousMs: number | undefined, ranMs: number): number {
  if (previousMs === undefined || ranMs >= RESET_MS) return FIRST_MS
  return Math.min(previousMs * 2, LONGEST_MS)
}
