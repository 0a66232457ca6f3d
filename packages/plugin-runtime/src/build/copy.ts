/** Writes sources into a mounted root file system. @module */
import { constants } from 'node:fs'
import { chmod, copyFile, lchown, lstat, lutimes, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { invalid } from '@kernel/contracts'
import { mkdirAllInRoot, realpathInRoot } from '@kernel/sys'
import type { Source } from './sources.ts'

export interface CopyOptions {
  owner: { uid: number; gid: number }
  /** Octal permission for all that is copied. */
  mode?: number
}

/** Absolute path on this machine of a path inside the root; links are followed within it. */
export function insideRoot(root: string, path: string): string {
  return join(root, realpathInRoot(root, path, { missing: 'allow' }))
}

/** Makes a folder and its parents with an owner; what is there stays as it is. */
export async function makeDir(root: string, path: string, { owner, mode }: CopyOptions): Promise<string> {
  const made = mkdirAllInRoot(root, path, mode ?? 0o755)
  for (const each of made) {
    const absolute = insideRoot(root, each)
    await lchown(absolute, owner.uid, owner.gid)
  }
  return insideRoot(root, path)
}

/**
 * `dest` is absolute in the root; with a trailing slash, or where it is a folder, files go into it.
 * @throws invalid where several sources would go into one file
 */
export async function copyInto(
  root: string,
  sources: Source[],
  dest: string,
  options: CopyOptions,
): Promise<void> {
  const intoFolder = dest.endsWith('/') || (await isDirectory(insideRoot(root, dest)))
  if (sources.length > 1 && !intoFolder)
    throw invalid(
      'When using COPY with more than one source file, the destination must be a directory and end with a /',
    )
  for (const source of sources) {
    const target = source.isDir || !intoFolder ? dest : posix.join(dest, source.name)
    if (source.isDir && !(await isDirectoryOrMissing(insideRoot(root, target))))
      throw invalid(`cannot copy to non-directory: ${dest}`)
    for (const { from, to, stat } of source.entries) {
      const path = posix.join(target, to)
      if (stat.isDirectory()) {
        const isNew = !(await isDirectory(insideRoot(root, path)))
        const made = await makeDir(root, path, options)
        if (isNew) await chmod(made, options.mode ?? stat.mode & 0o7777)
        continue
      }
      const parent = await makeDir(root, posix.dirname(path), { owner: options.owner })
      const absolute = join(parent, posix.basename(path))
      await replaceable(absolute, path)
      if (stat.isSymbolicLink()) await symlink(await readlink(from), absolute)
      else {
        await copyFile(from, absolute, constants.COPYFILE_FICLONE)
        await chmod(absolute, options.mode ?? stat.mode & 0o7777)
      }
      await lchown(absolute, options.owner.uid, options.owner.gid)
      await lutimes(absolute, stat.atime, stat.mtime)
    }
  }
}

/** A file of the Dockerfile's own text, or one that was downloaded. */
export async function writeInto(
  root: string,
  path: string,
  content: string | Uint8Array,
  options: CopyOptions & { mtime?: Date },
): Promise<void> {
  const parent = await makeDir(root, dirname(path), { owner: options.owner })
  const absolute = join(parent, posix.basename(path))
  await replaceable(absolute, path)
  await writeFile(absolute, content)
  await chmod(absolute, options.mode ?? 0o644)
  await lchown(absolute, options.owner.uid, options.owner.gid)
  if (options.mtime) await lutimes(absolute, options.mtime, options.mtime)
}

/** What stands at the last part of a path is replaced, never followed. */
async function replaceable(absolute: string, shown: string): Promise<void> {
  const there = await lstat(absolute).catch(() => undefined)
  if (there?.isDirectory()) throw invalid(`cannot copy a file over the directory ${shown}`)
  if (there) await rm(absolute)
}

async function isDirectory(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isDirectory() ?? false
}

async function isDirectoryOrMissing(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isDirectory() ?? true
}
