import fs from 'node:fs'
import { listMounts, type MountInfo } from '@kernel/sys'

/** How this machine mounts its control groups, see cgroups(7). */
export interface CgroupFacts {
  mode: 'v1' | 'hybrid' | 'v2' | 'none'
  /** Controllers that containers can be limited by. */
  controllers: string[]
  /** Where version 2 is mounted, in modes `hybrid` and `v2`. */
  unified?: string
}

const ROOT = '/sys/fs/cgroup'

/** Reads the mode from what is mounted below /sys/fs/cgroup. */
export function cgroupFacts(mounts: MountInfo[] = listMounts()): CgroupFacts {
  const v2 = mounts.findLast((mount) => mount.type === 'cgroup2' && isBelow(mount.target))
  const v1 = mounts.filter((mount) => mount.type === 'cgroup' && isBelow(mount.target))
  if (v1.length === 0 && !v2) return { mode: 'none', controllers: [] }
  if (v1.length === 0 && v2) {
    return { mode: 'v2', controllers: controllersOfV2(v2.target), unified: v2.target }
  }
  const controllers = v1.flatMap((mount) => mount.superOptions.filter((option) => known.has(option)))
  return {
    mode: v2 ? 'hybrid' : 'v1',
    controllers: [...new Set(controllers)],
    ...(v2 && { unified: v2.target }),
  }
}

const known = new Set([
  'cpu',
  'cpuacct',
  'cpuset',
  'memory',
  'devices',
  'freezer',
  'blkio',
  'pids',
  'hugetlb',
])

function isBelow(target: string): boolean {
  return target === ROOT || target.startsWith(`${ROOT}/`)
}

function controllersOfV2(at: string): string[] {
  try {
    return fs.readFileSync(`${at}/cgroup.controllers`, 'utf8').trim().split(' ').filter(Boolean)
  } catch {
    return []
  }
}
