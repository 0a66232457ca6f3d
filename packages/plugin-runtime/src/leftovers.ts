/** What a run that was killed has left in `tmp/`. @module */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '@kernel/kernel'
import { removeTree, sweepTemp } from '@kernel/state'
import { umountIfMounted } from '@kernel/sys'

/** Folders that the runtime makes there; other plugins see to their own. */
const ours = /^(docker-build|base-image|process-build|overlay|kernel-probe)-/

/** Removes them; for the start, before anything is built. What can not be removed is told of and stays. */
export async function removeLeftovers(tmp: string, log: Logger): Promise<void> {
  for (const name of await readdir(tmp)) {
    if (!ours.test(name)) continue
    try {
      // The probe of overlayfs mounts one.
      if (name.startsWith('overlay-')) umountIfMounted(join(tmp, name, 'merged'))
      await removeTree(join(tmp, name))
    } catch (error) {
      log.warn(`${join(tmp, name)} is left over from an earlier run and could not be removed`, { error })
    }
  }
  await sweepTemp(tmp)
}
