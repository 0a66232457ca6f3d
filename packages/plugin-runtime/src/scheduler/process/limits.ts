/** Limits for host processes, where the host lets this user set them: cgroup v2 below the daemon's own group. @module */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Limits {
  memory?: number
  cpus?: number
  pids?: number
}

export interface LimitGroups {
  /** Why limits are not enforced here; undefined where they are. */
  readonly reason?: string
  /** Makes the group; answers what puts a process in, or undefined where nothing is limited. */
  create(id: string, limits: Limits): ((pid: number) => void) | undefined
  remove(id: string): void
}

/** Looks at once whether a group can be made and limited, by doing it. */
export function createLimitGroups(instance: string): LimitGroups {
  const parent = delegatedGroup()
  const reason = parent ? tryOut(join(parent, `kernel-${instance}`)) : 'this user has no cgroup v2 of its own'
  if (!parent || reason) return { reason: reason ?? 'no cgroup', create: () => undefined, remove: () => {} }
  const base = join(parent, `kernel-${instance}`)
  return {
    create(id, { memory, cpus, pids }) {
      if (!memory && !cpus && !pids) return undefined
      const group = join(base, id)
      mkdirSync(group, { recursive: true })
      if (memory) writeFileSync(join(group, 'memory.max'), String(memory))
      if (cpus) writeFileSync(join(group, 'cpu.max'), `${Math.round(cpus * 100_000)} 100000`)
      if (pids) writeFileSync(join(group, 'pids.max'), String(pids))
      return (pid) => writeFileSync(join(group, 'cgroup.procs'), String(pid))
    },
    remove(id) {
      try {
        rmdirSync(join(base, id))
      } catch {
        // It never had one, or a process of it is still ending: an empty group costs nothing.
      }
    },
  }
}

function delegatedGroup(): string | undefined {
  try {
    const line = readFileSync('/proc/self/cgroup', 'utf8')
      .split('\n')
      .find((each) => each.startsWith('0::'))
    return line ? join('/sys/fs/cgroup', line.slice(3)) : undefined
  } catch {
    return undefined
  }
}

function tryOut(base: string): string | undefined {
  try {
    mkdirSync(base, { recursive: true })
    writeFileSync(join(base, 'cgroup.subtree_control'), '+memory +cpu +pids')
    return undefined
  } catch (error) {
    try {
      rmdirSync(base)
    } catch {
      // It could not be made.
    }
    return (error as Error).message
  }
}
