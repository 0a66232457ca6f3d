/** What a daemon may leave on the machine, looked for from outside; and how to get rid of it after a failure. @module */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from './host.ts'
import { run } from './run.ts'

export interface Leftovers {
  mounts: string[]
  links: string[]
  tables: string[]
  namespaces: string[]
  cgroups: string[]
  /** `pid command line` */
  processes: string[]
}

/** Every global name of a daemon has this in it. */
export const instanceOf = (dataDir: string): string =>
  createHash('sha256').update(dataDir).digest('hex').slice(0, 8)

export async function findLeftovers(dataDir: string): Promise<Leftovers> {
  const instance = instanceOf(dataDir)
  const runDir = `/run/kernel-${instance}`
  return {
    mounts: readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((point) => point.startsWith(`${dataDir}/`) || point.startsWith(`${runDir}/`)),
    links: readdirSync('/sys/class/net').filter((name) =>
      new RegExp(`^(kbr-|kb|kv)${instance.slice(0, 6)}`).test(name),
    ),
    tables: await tablesOf(instance),
    namespaces: existsSync(runDir) ? [runDir] : [],
    cgroups: cgroupsOf(`kernel-${instance}`),
    processes: processesWith(dataDir, runDir),
  }
}

async function tablesOf(instance: string): Promise<string[]> {
  const nft = findProgram('nft')
  if (!nft || process.getuid?.() !== 0) return []
  const { stdout } = await run(nft, ['list', 'tables'])
  return stdout.split('\n').filter((line) => line.includes(instance))
}

/** Every controller of cgroup v1, the unified tree beside them, or v2 alone. */
function cgroupsOf(name: string, at = '/sys/fs/cgroup', depth = 0): string[] {
  const found: string[] = []
  for (const entry of readDir(at)) {
    const path = join(at, entry)
    if (entry === name) found.push(...treeOf(path))
    else if (depth < 2) found.push(...cgroupsOf(name, path, depth + 1))
  }
  return found
}

/** Folders only, the deepest first. */
function treeOf(path: string): string[] {
  return [...readDir(path).flatMap((entry) => treeOf(join(path, entry))), path]
}

function readDir(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
  } catch {
    return []
  }
}

/** Processes that name a folder of the daemon on their command line (its conmon's, its runtimes), or work in one. */
function processesWith(...folders: string[]): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
        const at = readlinkSync(`/proc/${pid}/cwd`)
        return folders.some((folder) => line.includes(folder) || at.startsWith(folder))
          ? [`${pid} ${line.slice(0, 200)}`]
          : []
      } catch {
        return []
      }
    })
}

export const isClean = (found: Leftovers): boolean => Object.values(found).every((list) => list.length === 0)

/** Removes what was found, so that one failed test does not spoil the machine for the next. */
export async function sweep(found: Leftovers): Promise<void> {
  for (const path of found.cgroups) for (const pid of pidsIn(path)) signal(pid)
  for (const line of found.processes) signal(Number.parseInt(line, 10))
  for (const point of found.mounts.toReversed()) await run('umount', ['-l', point])
  for (const link of found.links) await run('ip', ['link', 'del', link])
  for (const table of found.tables) {
    const [, family = '', name = ''] = table.split(' ')
    await run(findProgram('nft') ?? 'nft', ['delete', 'table', family, name])
  }
  for (const dir of found.namespaces) rmSync(dir, { recursive: true, force: true })
  for (const path of found.cgroups)
    try {
      rmdirSync(path)
    } catch {
      // Its processes are still going; the report has named it.
    }
}

function pidsIn(cgroup: string): number[] {
  try {
    return readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
