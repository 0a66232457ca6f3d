import fs from 'node:fs/promises'
import path from 'node:path'

/** Bytes that a folder takes on the disk, as `du`: a file with several names counts once. */
export async function diskUsage(root: string): Promise<number> {
  const seen = new Set<string>()
  let total = 0
  const folders = [root]
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await fs.readdir(folder, { withFileTypes: true }).catch(() => [])) {
      const file = path.join(folder, entry.name)
      const stat = await fs.lstat(file).catch(() => undefined)
      if (!stat) continue // gone meanwhile: a container may be at work here
      if (entry.isDirectory()) folders.push(file)
      if (stat.nlink > 1 && !entry.isDirectory()) {
        const id = `${stat.dev}:${stat.ino}`
        if (seen.has(id)) continue
        seen.add(id)
      }
      total += stat.blocks * 512
    }
  }
  return total
}
