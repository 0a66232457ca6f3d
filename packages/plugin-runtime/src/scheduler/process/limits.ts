/** Limits for host processes, where the host lets this user set them: cgroup v2 below the daemon's own group. @module */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
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
  /** Removes the group of the daemon, where nothing is left in it. */
  close(): void
}

/** Looks at once whether a group can be made and limited, by doing it. */
export function createLimitGroups(instance: string, parent = ownGroup()): LimitGroups {
  const base = parent && join(parent, `kernel-${instance}`)
  const reason = base ? tryOut(base) : 'this machine has no cgroup v2 here, or not v2 alone'
  if (!base || reason) return { reason, create: () => undefined, remove() {}, close() {} }
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
    // It never had one, or a process of it is still ending: an empty group costs nothing.
    remove: (id) => removeGroup(join(base, id)),
    close: () => removeGroup(base),
  }
}

function removeGroup(path: string): void {
  try {
    rmdirSync(path)
  } catch {
    // It is not there, or in use.
  }
}

/** This process's group, where /sys/fs/cgroup is v2. On a hybrid host it is a folder of tmpfs, which limits nothing. */
function ownGroup(): string | undefined {
  try {
    const line = readFileSync('/proc/self/cgroup', 'utf8')
      .split('\n')
      .find((each) => each.startsWith('0::'))
    const path = line && join('/sys/fs/cgroup', line.slice(3))
    return path && existsSync(join(path, 'cgroup.controllers')) ? path : undefined
  } catch {
    return undefined
  }
}

function tryOut(base: string): string | undefined {
  try {
    mkdirSync(base, { recursive: true })
    // Never makes the file: a folder without it is no group.
    writeFileSync(join(base, 'cgroup.subtree_control'), '+memory +cpu +pids', { flag: 'r+' })
    return undefined
  } catch (error) {
    removeGroup(base)
    return (error as Error).message
  }
}
