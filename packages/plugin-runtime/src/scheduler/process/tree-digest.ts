/** The digest of a folder's contents: names, modes, links and bytes; not times and owners. @module */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Digest } from '@kernel/contracts'

/** The same tree has the same digest on every machine. `size` counts the bytes of regular files. */
export async function treeDigest(root: string): Promise<{ digest: Digest; size: number }> {
  const hash = createHash('sha256')
  let size = 0
  async function walk(dir: string, prefix: string): Promise<void> {
    const names = (await readdir(dir)).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    for (const name of names) {
      const path = join(dir, name)
      const shown = `${prefix}${name}`
      const stat = await lstat(path)
      if (stat.isDirectory()) {
        hash.update(`d ${JSON.stringify(shown)}\n`)
        await walk(path, `${shown}/`)
      } else if (stat.isSymbolicLink()) {
        hash.update(`l ${JSON.stringify(shown)} ${JSON.stringify(await readlink(path))}\n`)
      } else if (stat.isFile()) {
        hash.update(`f ${JSON.stringify(shown)} ${stat.mode & 0o111 ? 'x' : '-'} ${stat.size}\n`)
        for await (const piece of createReadStream(path)) hash.update(piece as Buffer)
        size += stat.size
      }
    }
  }
  await walk(root, '')
  return { digest: `sha256:${hash.digest('hex')}`, size }
}
