/** What the parts of containers/ share: one engine a daemon. @module */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ContainerExit, Events } from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { type Database, KeyedMutex, openDatabase } from '@kernel/state'
import type { HostFacts, ImageStore, Sandboxes, Snapshots, TreeArchives, VolumeMounts } from '../parts.ts'
import { type Cgroup, cgroupOf } from './cgroup.ts'
import { type Console, createConsole } from './console.ts'
import { type ExitWatch, watchExits } from './exit-watch.ts'
import { createLogRotation, type LogRotation } from './log-rotation.ts'
import { createOciRuntime, type OciRuntime } from './oci-runtime.ts'
import type { ContainerRecord } from './record.ts'
import { createRegistry, type Registry } from './registry.ts'
import { createSeccompCache, type SeccompCache } from './seccomp-cache.ts'

export interface ContainersOptions {
  dataDir: string
  log: Logger
  host: HostFacts
  images: ImageStore
  snapshots: Snapshots
  archives: TreeArchives
  sandboxes: Sandboxes
  volumes: VolumeMounts
  events: Events
  /** Derived from the data dir: `kernel-1a2b3c4d`. */
  cgroupParent: string
}

/** What lives with a container only while this daemon does. */
export interface Live {
  console: Console
  /** Resolves at the next exit. */
  exit: PromiseWithResolvers<ContainerExit>
  removed: PromiseWithResolvers<ContainerExit>
  /** Work of the last exit that the next start must wait for. */
  cleaning: Promise<void>
  restart?: { timer: NodeJS.Timeout; cancel(): void }
  backoffMs?: number
  /** Rows and columns that were asked for before there was a terminal. */
  size?: [number, number]
  stopHealth?: () => void
  /** It is stopped only to be started again: auto-remove has to wait. */
  keep?: boolean
  execs: Set<string>
}

export interface Engine extends Omit<ContainersOptions, 'dataDir' | 'cgroupParent'> {
  dirs: { containers: string; exits: string; runtime: string }
  cgroupParent: string
  conmon: string
  db: Database
  registry: Registry
  runtime: OciRuntime
  seccomp: SeccompCache
  exits: ExitWatch
  rotation: LogRotation
  mutex: KeyedMutex
  closing: boolean
  /** A running container has ended; set once, where the parts are put together. */
  exited(record: ContainerRecord, exitCode: number): void
  /** Work that nobody waits for, but `close` does. */
  background(work: Promise<void>): void
  idle(): Promise<void>
  live(record: ContainerRecord): Live
  drop(id: string): void
  bundle(id: string): string
  logPath(id: string): string
  cgroup(record: ContainerRecord): Cgroup
  publish(record: ContainerRecord, action: string, extra?: Record<string, string>): void
}

export function createEngine(options: ContainersOptions): Engine {
  const { dataDir, log, host } = options
  if (!host.runtime || !host.conmon)
    throw new Error(host.reason ?? 'no OCI runtime or conmon on this machine')
  const dirs = {
    containers: join(dataDir, 'containers'),
    exits: join(dataDir, 'run', 'exits'),
    runtime: join(dataDir, 'run', host.runtime.kind),
  }
  for (const dir of [join(dataDir, 'db'), join(dataDir, 'run'), ...Object.values(dirs)])
    mkdirSync(dir, { recursive: true, mode: 0o700 })
  const db = openDatabase(join(dataDir, 'db', 'containers.db'))
  const lives = new Map<string, Live>()
  const working = new Set<Promise<void>>()
  const cgroupParent = `/${options.cgroupParent}`
  return {
    ...options,
    dirs,
    cgroupParent,
    conmon: host.conmon.path,
    db,
    registry: createRegistry(db),
    runtime: createOciRuntime(host.runtime, dirs.runtime),
    seccomp: createSeccompCache(host.runtime.kind === 'crun' ? dirs.runtime : undefined),
    exits: watchExits(dirs.exits),
    rotation: createLogRotation(log),
    mutex: new KeyedMutex(),
    closing: false,
    exited: () => {},
    background: (work) => {
      const tracked = work
        .catch((error: Error) => log.warn(error.message))
        .finally(() => working.delete(tracked))
      working.add(tracked)
    },
    idle: async () => {
      while (working.size > 0) await Promise.all(working)
    },
    live: (record) => {
      let live = lives.get(record.id)
      if (!live) {
        const { Tty, OpenStdin, StdinOnce } = record.config
        live = {
          console: createConsole({
            tty: Tty === true,
            stdin: OpenStdin === true,
            stdinOnce: StdinOnce === true,
          }),
          exit: Promise.withResolvers(),
          removed: Promise.withResolvers(),
          cleaning: Promise.resolve(),
          execs: new Set(),
        }
        lives.set(record.id, live)
      }
      return live
    },
    drop: (id) => {
      lives.delete(id)
    },
    bundle: (id) => join(dirs.containers, id),
    logPath: (id) => join(dirs.containers, id, `${id}.log`),
    cgroup: ({ id, hostConfig }) => {
      const asked =
        typeof hostConfig.CgroupParent === 'string' ? hostConfig.CgroupParent.replace(/^\/+|\/+$/g, '') : ''
      return cgroupOf(host.cgroup, `${asked === '' ? cgroupParent : `/${asked}`}/${id}`)
    },
    publish: (record, action, extra = {}) => {
      const { Image, Labels } = record.config
      options.events.publish({
        Type: 'container',
        Action: action,
        Actor: { ID: record.id, Attributes: { ...Labels, image: Image, name: record.name, ...extra } },
      })
    },
  }
}
