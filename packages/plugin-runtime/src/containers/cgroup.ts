/** Where a container's cgroups are, and what they tell. @module */
import fs from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { failed } from '@kernel/contracts'
import type { HostFacts } from '../parts.ts'

const ROOT = '/sys/fs/cgroup'
/** A process in a long system call stands still only behind it. */
const FREEZE_MS = 10_000

/** The cgroup of a container on this host. */
export interface Cgroup {
  /** Text of a file; undefined where it is not there. On v1 the controller chooses the tree. */
  read(controller: string, file: string): string | undefined
  /** All processes, also those of sub-groups. */
  pids(): number[]
  /** How many processes the kernel killed for want of memory. */
  oomKills(): number
  /** Whether its processes stand still; undefined where this host has no freezer for it. */
  isFrozen(): boolean | undefined
  /** Stops every process where it stands, or lets all go on. False where this host has no freezer for it. */
  setFrozen(frozen: boolean): Promise<boolean>
}

/**
 * @param path as in the OCI configuration: `/parent/id`
 * @param root where the trees are mounted
 */
export function cgroupOf(kind: HostFacts['cgroup'], path: string, root = ROOT): Cgroup {
  const unified = kind === 'v2'
  const dirOf = (controller: string) => join(root, unified ? '' : controller, path)
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
    isFrozen: () => frozenState(unified, read),
    async setFrozen(frozen) {
      const file = unified ? join(dirOf(''), 'cgroup.freeze') : join(dirOf('freezer'), 'freezer.state')
      const words = unified ? ['0', '1'] : ['THAWED', 'FROZEN']
      const deadline = Date.now() + FREEZE_MS
      for (;;) {
        // v1 can stick in FREEZING while a process forks; writing once more is what gets it on.
        try {
          fs.writeFileSync(file, words[Number(frozen)]!, { flag: 'r+' })
        } catch {
          return false
        }
        if (frozenState(unified, read) === frozen) return true
        if (Date.now() > deadline) break
        await sleep(1)
      }
      if (frozen) fs.writeFileSync(file, words[0]!, { flag: 'r+' })
      throw failed(`${path} could not be ${frozen ? 'frozen' : 'thawed'} within ${FREEZE_MS / 1000} s`)
    },
  }
}

/** cgroup-v2, "cgroup.events"; cgroup-v1/freezer-subsystem: FREEZING is not there yet. */
function frozenState(unified: boolean, read: Cgroup['read']): boolean | undefined {
  const text = unified ? read('', 'cgroup.events') : read('freezer', 'freezer.state')
  if (text === undefined) return undefined
  return unified ? /^frozen 1$/m.test(text) : text.trim() === 'FROZEN'
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
