/** Lays the parts of the base image down in a folder, the same way each time. @module */
import { constants } from 'node:fs'
import { chmod, chown, copyFile, cp, lstat, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Part } from './contents.ts'

/** `root` is an empty folder; owners are set where this process may (as root). */
export async function layDown(parts: Part[], root: string): Promise<void> {
  for (const part of parts) {
    const path = join(root, part.target)
    await makeParents(dirname(path))
    if (part.kind === 'dir') {
      await mkdir(path, { recursive: true })
      await chmod(path, part.mode)
      if (part.owner !== undefined && process.getuid?.() === 0) await chown(path, part.owner, part.owner)
    } else if (part.kind === 'link') {
      await symlink(part.to, path).catch((error: NodeJS.ErrnoException) => {
        // A program that is there under its own name comes before busybox's.
        if (error.code !== 'EEXIST') throw error
      })
    } else if (part.kind === 'text') {
      await writeFile(path, part.text)
      await chmod(path, part.mode)
    } else if (part.kind === 'file') {
      await copyFile(part.source, path, constants.COPYFILE_FICLONE)
      await chmod(path, part.mode)
    } else {
      await cp(part.source, path, { recursive: true, dereference: true })
      await normalizeModes(path)
    }
  }
}

/** The daemon's umask is strict; a folder of the image is for everybody to read. */
async function makeParents(dir: string): Promise<void> {
  const first = await mkdir(dir, { recursive: true })
  if (first === undefined) return
  for (let made = dir; made.length >= first.length; made = dirname(made)) await chmod(made, 0o755)
}

/** Package managers lay their files down with whatever umask; the image shall not show it. */
async function normalizeModes(path: string): Promise<void> {
  const stat = await lstat(path)
  if (stat.isSymbolicLink()) return
  if (process.getuid?.() === 0) await chown(path, 0, 0)
  await chmod(path, stat.isDirectory() || (stat.mode & 0o100) !== 0 ? 0o755 : 0o644)
  if (stat.isDirectory()) for (const name of await readdir(path)) await normalizeModes(join(path, name))
}
