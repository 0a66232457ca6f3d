import fs from 'node:fs'
import type { Logger } from '@kernel/kernel'

/**
 * Writes settings of the calling thread's network namespace below /proc/sys/net; what cannot be written is
 * warned of and left as it is (in an outer container /proc/sys is often read-only).
 * @param settings by path, for example `ipv4/ip_forward`
 */
export function setSysctls(settings: Record<string, string>, log: Logger): void {
  for (const [name, value] of Object.entries(settings)) {
    const file = `/proc/sys/net/${name}`
    try {
      if (fs.readFileSync(file, 'latin1').trim() !== value) fs.writeFileSync(file, value)
    } catch (error) {
      const { code } = error as { code?: string }
      if (code === 'ENOENT' && name.startsWith('ipv6/')) continue // a kernel without IPv6
      log.warn(`net/${name} could not be set to ${value}`, { error: (error as Error).message })
    }
  }
}
