/** `--volumes-from`: mounts that another container has. @module */
import { invalid, type MountPoint } from '@kernel/contracts'
import type { Registry } from './registry.ts'

/**
 * The mounts of the containers that are named (`NAME`, `NAME:ro`), a later one's in place of an earlier one's at the
 * same destination. What is read-only there stays so.
 * @throws not-found; invalid for a mode that is none
 */
export function inheritedMounts(registry: Registry, volumesFrom: unknown): MountPoint[] {
  const found = new Map<string, MountPoint>()
  for (const text of (volumesFrom as string[] | null | undefined) ?? []) {
    const colon = text.indexOf(':')
    const ref = colon < 0 ? text : text.slice(0, colon)
    const mode = colon < 0 ? 'rw' : text.slice(colon + 1)
    if (ref === '') throw invalid(`malformed volumesFrom specification: ${text}`)
    if (!/^(rw|ro)?(,?[zZ])?$/.test(mode) || mode === '') throw invalid(`invalid mode: ${mode}`)
    for (const mount of registry.resolve(ref).mounts)
      found.set(mount.Destination, { ...mount, RW: mount.RW && !mode.startsWith('ro') })
  }
  return [...found.values()]
}
