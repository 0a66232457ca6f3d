/**
 * What a push has brought, kept beside git's quarantine while it is deployed. Git deletes its quarantine when it
 * ends, by whatever end; the deploy goes on, and what it deploys has to be in the repository then.
 * @module
 */
import { randomBytes } from 'node:crypto'
import { link, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** Folders of this name in a repository are nobody's after a start. */
export const heldPrefix = 'held-'

export interface HeldObjects {
  /** Puts the objects into the repository. */
  settle(): Promise<void>
  /** Forgets them; what is in the repository stays there. */
  drop(): Promise<void>
}

/**
 * Holds the packs of a quarantine by hard links, which cost nothing. (Every push is kept as a pack:
 * `receive.unpackLimit` is 1. It has all that its deltas are based on, see index-pack --fix-thin.)
 * @param quarantine GIT_OBJECT_DIRECTORY of the hook
 */
export async function holdObjects(repository: string, quarantine: string): Promise<HeldObjects> {
  const from = join(quarantine, 'pack')
  const held = join(repository, `${heldPrefix}${randomBytes(6).toString('hex')}`)
  const found = await readdir(from).catch(() => [])
  const names = found.filter((name) => /^pack-[0-9a-f]+\.(pack|rev|idx)$/.test(name))
  const drop = () => rm(held, { recursive: true, force: true })
  try {
    if (names.length > 0) await mkdir(held, { mode: 0o700 })
    for (const name of names) await link(join(from, name), join(held, name))
  } catch (error) {
    await drop()
    throw error
  }
  return {
    drop,
    async settle() {
      // A pack counts from the moment that its index is there.
      const isIndex = (name: string) => Number(name.endsWith('.idx'))
      for (const name of names.toSorted((a, b) => isIndex(a) - isIndex(b)))
        await link(join(held, name), join(repository, 'objects', 'pack', name)).catch(
          (error: NodeJS.ErrnoException) => {
            if (error.code !== 'EEXIST') throw error
          },
        )
    },
  }
}
