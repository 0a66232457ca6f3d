/** All that a daemon keeps and runs, so that two moments can be compared. @module */
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Daemon } from './daemon.ts'
import { until } from './until.ts'

export interface Inventory {
  /** `kind id bytes <- who pins it`. */
  ledger: string[]
  /** `name image state`, of every container, stopped ones too. */
  containers: string[]
  /** `app state release url`. */
  apps: string[]
  /** Paths in the data dir, without the databases and the kept output of deploys. */
  files: string[]
  /** Kilobytes of them. */
  kilobytes: number
}

interface LedgerEntry {
  kind: string
  id: string
  bytes: number
  pinnedBy: string[]
}

export async function takeInventory(daemon: Daemon): Promise<Inventory> {
  const ledger = await daemon.json<LedgerEntry[]>(['system:ledger'])
  const apps = await daemon.json<Array<{ name: string; state: string; release?: string; urls: string[] }>>([
    'apps:list',
  ])
  const ps = await daemon.docker([
    'ps',
    '-a',
    '--no-trunc',
    '--format',
    '{{.Names}} {{.ID}} {{.Image}} {{.State}}',
  ])
  const { files, bytes } = walk(daemon.dataDir)
  return {
    ledger: ledger.map(
      ({ kind, id, bytes, pinnedBy }) => `${kind} ${id} ${bytes} <- ${pinnedBy.sort().join(', ')}`,
    ),
    containers: ps.stdout.trim().split('\n').sort(),
    apps: apps.map(({ name, state, release, urls }) => `${name} ${state} ${release} ${urls.join(' ')}`),
    files,
    kilobytes: Math.round(bytes / 1024),
  }
}

/** The inventory once nothing changes any more: what was retired is gone. */
export async function settledInventory(daemon: Daemon): Promise<Inventory> {
  let last = await takeInventory(daemon)
  await until('the daemon is at rest', async () => {
    const now = await takeInventory(daemon)
    const same = differences(last, now, { slackKilobytes: 0 }).length === 0
    last = now
    return same
  })
  return last
}

/** What is different, line by line: `+ files tmp/x`, `- ledger layer ...`. Empty where nothing is. */
export function differences(before: Inventory, after: Inventory, { slackKilobytes = 256 } = {}): string[] {
  const lines = (['ledger', 'containers', 'apps', 'files'] as const).flatMap((part) => [
    ...without(before[part], after[part]).map((line) => `- ${part} ${line}`),
    ...without(after[part], before[part]).map((line) => `+ ${part} ${line}`),
  ])
  const grown = after.kilobytes - before.kilobytes
  if (Math.abs(grown) > slackKilobytes) lines.push(`the files have grown by ${grown} kB`)
  return lines
}

const without = (list: string[], other: string[]) => {
  const known = new Set(other)
  return list.filter((line) => !known.has(line))
}

/** Databases and their logs change with every event; what a deploy has written is kept so that it can be read. */
const kept = /^(db|apps\/deploys)\//

/** Trees that the ledger accounts for: which ones are there is enough. */
const accounted = /^(layers|snapshots)\/[^/]+$/

function walk(root: string): { files: string[]; bytes: number } {
  const files: string[] = []
  let bytes = 0
  function enter(folder: string): void {
    for (const name of readdirSync(join(root, folder))) {
      const path = folder === '' ? name : `${folder}/${name}`
      const stat = lstatSync(join(root, path), { throwIfNoEntry: false })
      if (!stat || kept.test(path)) continue
      files.push(path)
      if (stat.isFile()) bytes += stat.size
      if (stat.isDirectory() && !accounted.test(path)) enter(path)
    }
  }
  enter('')
  return { files: files.sort(), bytes }
}
