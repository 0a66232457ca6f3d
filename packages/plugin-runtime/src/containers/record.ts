/** What is kept of a container, on disk and in memory. @module */
import type {
  ContainerConfig,
  ContainerState,
  ContainerStatus,
  Digest,
  EndpointSettings,
  HostConfig,
  MountPoint,
} from '@kernel/contracts'
import type { SandboxResult } from '../parts.ts'

/** A container's first process; the start time tells it from a later one with the same number. */
export interface ProcessIdentity {
  pid: number
  /** Field 22 of /proc/PID/stat, clock ticks since boot. */
  startTime: string
  /** The kernel's boot the numbers belong to. */
  bootId: string
}

/** What was asked for and takes more than one step: a daemon that finds it at its start brings it to its end. */
export type Intent = { kind: 'stop' | 'restart'; timeoutSec?: number } | { kind: 'remove'; volumes: boolean }

export interface ContainerRecord {
  id: string
  /** Without the leading `/`. */
  name: string
  /** RFC 3339 with nanoseconds. */
  created: string
  image: Digest
  /** argv: entrypoint and command together. */
  path: string
  args: string[]
  config: ContainerConfig
  hostConfig: HostConfig
  status: ContainerStatus
  exitCode: number
  error: string
  oomKilled: boolean
  startedAt: string
  finishedAt: string
  restartCount: number
  /** Stopped by hand: `unless-stopped` remembers it over a restart of the daemon. */
  manuallyStopped: boolean
  /** Written before its first step, gone with the commit of its last. */
  intent?: Intent
  process?: ProcessIdentity
  mounts: MountPoint[]
  endpoints: Record<string, EndpointSettings>
  /** While it runs. */
  sandbox?: SandboxResult
  health?: ContainerState['Health']
}

/** Go's zero time, as Docker prints it. */
export const NEVER = '0001-01-01T00:00:00Z'

/** Whether its first process lives (a paused one does). */
export function isRunning(record: ContainerRecord): boolean {
  return record.status === 'running' || record.status === 'paused'
}

/** Docker's short id. */
export function shortId(id: string): string {
  return id.slice(0, 12)
}

/** Now, as RFC 3339 with nanoseconds. */
export function now(): string {
  return new Date()
    .toISOString()
    .replace('Z', `${(process.hrtime.bigint() % 1_000_000n).toString().padStart(6, '0')}Z`)
}
