import fs from 'node:fs'
import path from 'node:path'
import type { Logger } from '@kernel/kernel'
import { deleteNetns, type Netlink } from '@kernel/sys'
import type { InstanceNames } from './names.ts'
import type { SandboxRecord } from './records.ts'

/** Removes namespaces and devices of this daemon, and of no other, that no sandbox has. */
export function sweepRemains(
  context: { names: InstanceNames; netlink: Netlink; log: Logger },
  sandboxes: SandboxRecord[],
): void {
  const { names, netlink, log } = context
  const used = new Set(sandboxes.map((record) => record.netns))
  const files = fs.existsSync(names.netnsDir) ? fs.readdirSync(names.netnsDir) : []
  for (const file of files.map((name) => path.join(names.netnsDir, name))) {
    if (used.has(file)) continue
    log.info(`removing network namespace ${file}, left over from an earlier run`)
    deleteNetns(file)
  }
  const devices = new Set(sandboxes.flatMap((record) => record.endpoints.map((one) => one.veth)))
  for (const link of netlink.links()) {
    if (names.ownsVeth(link.name) && !devices.has(link.name)) netlink.deleteLink(link)
  }
}
