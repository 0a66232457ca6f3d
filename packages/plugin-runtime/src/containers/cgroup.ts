/** Where a container's cgroups are, and what they tell. @module */
import fs from 'node:fs'
import { join } from 'node:path'
import type { HostFacts } from '../parts.ts'

const ROOT = '/sys/fs/cgroup'

/** The cgroup of a container on this host. */
export interface Cgroup {
  /** Text of a file; undefined where it is not there. On v1 the controller chooses the tree. */
  read(controller: string, file: string): string | undefined
  /** All processes, also those of sub-groups. */
  pids(): number[]
  /** How many processes the kernel killed for want of memory. */
  oomKills(): number
}

/** @param path as in the OCI configuration: `/parent/id` */
export function cgroupOf(kind: HostFacts['cgroup'], path: string): Cgroup {
  const unified = kind === 'v2'
  const dirOf = (controller: string) => join(ROOT, unified ? '' : controller, path)
  const read = (controller: string, file: string) => {
    try {
      return fs.readFileSync(join(dirOf(controller), file), 'utf8')
    } catch {
      return undefined
    }
  }
  return {
    read,
    pids: () => pidsBelow(dirOf('pids')),
    oomKills: () => {
      const text = unified ? read('', 'memory.events') : read('memory', 'memory.oom_control')
      return Number(/^oom_kill (\d+)/m.exec(text ?? '')?.[1] ?? 0)
    },
  }
}

function pidsBelow(dir: string): number[] {
  let text: string
  try {
    text = fs.readFileSync(join(dir, 'cgroup.procs'), 'utf8')
  } catch {
    return []
  }
  const own = text.split('\n').filter(Boolean).map(Number)
  const below = fs
    .readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => pidsBelow(join(dir, entry.name)))
  return [...own, ...below]
}

/** Removes the group that held containers, once it is empty; in use, it stays. */
export function removeCgroupParent(kind: HostFacts['cgroup'], parent: string): void {
  const trees = kind === 'v2' ? [''] : fs.readdirSync(ROOT)
  for (const tree of trees) {
    try {
      fs.rmdirSync(join(ROOT, tree, parent))
    } catch {
      // not there, or in use
    }
  }
}
