/** The mounts of a container in OCI form. @module */
import { join } from 'node:path'
import { conflict, type HostConfig, type MountPoint } from '@kernel/contracts'
import { DEFAULT_SHM, defaultMounts } from './oci-defaults.ts'
import type { OciMount } from './oci-types.ts'

export interface MountSources {
  hostConfig: HostConfig
  /** Of volumes/: binds, volumes and tmpfs. */
  points: MountPoint[]
  /** Folder with `hostname`, `hosts` and `resolv.conf`; a file that is not in `files` is not mounted. */
  dir: string
  files: string[]
  /** Path of a tmpfs on the host that is shared as /dev/shm; undefined: one of its own. */
  sharedShm?: string
  /** Path of the init program on the host, for `--init`. */
  init?: string
}

/** Where `--init`'s program is found inside, as in Docker. */
export const INIT_PATH = '/sbin/docker-init'

/** All mounts, parents before children, what the user asked for in place of a default. */
export function mountsOf(sources: MountSources): OciMount[] {
  const { hostConfig, points, dir, files } = sources
  const taken = new Set(points.map((point) => point.Destination))
  const readonly = hostConfig.ReadonlyRootfs === true
  const mounts = [
    ...defaultMounts({ privileged: hostConfig.Privileged === true, hostPid: hostConfig.PidMode === 'host' }),
    ...shm(sources),
    ...files.map((name) => ({
      destination: `/etc/${name}`,
      type: 'bind',
      source: join(dir, name),
      options: ['rbind', 'rprivate', readonly ? 'ro' : 'rw'],
    })),
    ...(sources.init
      ? [{ destination: INIT_PATH, type: 'bind', source: sources.init, options: ['rbind', 'rprivate', 'ro'] }]
      : []),
  ].filter(({ destination }) => !taken.has(destination))
  const own = points.map((point) => (point.Type === 'tmpfs' ? tmpfs(point) : bind(point)))
  const depth = ({ destination }: OciMount) => destination.split('/').filter(Boolean).length
  // Stable: defaults stay in their order, and a mount never hides one that was made before it.
  return [...mounts, ...own.toSorted((a, b) => depth(a) - depth(b))]
}

function shm({ hostConfig, sharedShm }: MountSources): OciMount[] {
  const mode = hostConfig.IpcMode ?? ''
  if (mode === 'none') return []
  if (mode === 'host')
    return [{ destination: '/dev/shm', type: 'bind', source: '/dev/shm', options: ['rbind', 'rprivate'] }]
  if (sharedShm)
    return [
      { destination: '/dev/shm', type: 'bind', source: sharedShm, options: ['rbind', 'rprivate', 'rw'] },
    ]
  return [
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${hostConfig.ShmSize || DEFAULT_SHM}`],
    },
  ]
}

function bind(point: MountPoint): OciMount {
  const propagation = point.Propagation || 'rprivate'
  const recursive = point.Mode.split(',').includes('bind-nonrecursive') ? 'bind' : 'rbind'
  return {
    destination: point.Destination,
    type: 'bind',
    source: point.Source,
    options: [recursive, propagation, point.RW ? 'rw' : 'ro'],
  }
}

/** `Mode` holds the options as they were given: `rw,size=64m,mode=1770`. */
function tmpfs(point: MountPoint): OciMount {
  const asked = point.Mode.split(',').filter(Boolean)
  for (const option of asked)
    if (!/^[a-z]+(=[0-9a-zA-Z%:]+)?$/.test(option)) throw conflict(`invalid tmpfs option ["${option}"]`)
  const defaults = ['noexec', 'nosuid', 'nodev'].filter((name) => !asked.includes(name.slice(2)))
  return {
    destination: point.Destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: [
      ...defaults,
      ...asked.filter((option) => !['exec', 'suid', 'dev'].includes(option)),
      ...(point.RW ? [] : ['ro']),
    ],
  }
}
