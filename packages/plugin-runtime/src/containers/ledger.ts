/** What containers keep on disk beside their snapshots: logs and configuration. @module */
import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Containers, LedgerEntry } from '@kernel/contracts'
import { logFiles } from './log-files.ts'

/** One entry a container, sorted as `list` is. */
export async function containersLedger(containers: Containers): Promise<LedgerEntry[]> {
  const all = await containers.list({ all: true })
  return Promise.all(
    all.map(async ({ Id, Names }) => {
      const { LogPath, HostsPath } = await containers.inspect(Id)
      const config = ['config.json', 'hosts', 'resolv.conf', 'hostname'].map((name) =>
        join(dirname(HostsPath), name),
      )
      const sizes = await Promise.all([...(LogPath ? logFiles(LogPath) : []), ...config].map(bytesOf))
      const bytes = sizes.reduce((sum, size) => sum + size, 0)
      return { kind: 'container', id: Id, bytes, pinnedBy: [`container ${Names[0]?.slice(1) ?? Id}`] }
    }),
  )
}

async function bytesOf(path: string): Promise<number> {
  return stat(path).then(
    ({ blocks }) => blocks * 512,
    () => 0,
  )
}
