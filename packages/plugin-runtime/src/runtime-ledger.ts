/** What the runtime keeps on disk, and what keeps it. @module */
import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Containers, LedgerEntry, Volumes } from '@kernel/contracts'
import { logFiles } from './containers/log-files.ts'

/** The store's entries with the containers that hold them, the containers' own files, and the volumes. */
export async function runtimeLedger(parts: {
  store: LedgerEntry[]
  containers: Containers
  volumes: Volumes
}): Promise<LedgerEntry[]> {
  const containers = await parts.containers.list({ all: true })
  const names = new Map(
    containers.map(({ Id, Names }) => [Id, `container ${(Names[0] ?? Id).replace(/^\//, '')}`]),
  )
  const nameOf = (id: string) => names.get(id) ?? `container ${id.slice(0, 12)}`
  const store = parts.store.map((entry) =>
    entry.kind === 'snapshot' && names.has(entry.id) ? { ...entry, pinnedBy: [nameOf(entry.id)] } : entry,
  )
  const files = await Promise.all(
    containers.map(async ({ Id }): Promise<LedgerEntry> => {
      const { LogPath, HostsPath } = await parts.containers.inspect(Id)
      const paths = [
        ...(LogPath ? logFiles(LogPath) : []),
        join(dirname(HostsPath), 'config.json'),
        HostsPath,
      ]
      const sizes = await Promise.all(paths.map((path) => bytesOf(path)))
      return {
        kind: 'container',
        id: Id,
        bytes: sizes.reduce((sum, size) => sum + size, 0),
        pinnedBy: [nameOf(Id)],
      }
    }),
  )
  const volumes = (await parts.volumes.list({ size: true })).map(({ Name, UsageData }): LedgerEntry => {
    const users = containers.filter(({ Mounts }) =>
      Mounts.some((mount) => mount.Type === 'volume' && mount.Name === Name),
    )
    return {
      kind: 'volume',
      id: Name,
      bytes: UsageData?.Size ?? 0,
      // A volume is kept until somebody removes it, whether or not a container uses it now.
      pinnedBy: users.length > 0 ? users.map(({ Id }) => nameOf(Id)) : [`volume ${Name}`],
    }
  })
  return [...store, ...files, ...volumes].toSorted(byKindAndId)
}

export function byKindAndId(a: LedgerEntry, b: LedgerEntry): number {
  return a.kind.localeCompare(b.kind) || a.id.localeCompare(b.id)
}

async function bytesOf(path: string): Promise<number> {
  return stat(path).then(
    ({ blocks }) => blocks * 512,
    () => 0,
  )
}
