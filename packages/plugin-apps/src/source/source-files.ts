/**
 * Reading files of a pushed tree. Its content is anybody's: a link that leads out of the tree is not followed,
 * and nothing is read beyond a bound.
 * @module
 */
import { constants } from 'node:fs'
import { open, readdir, realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, normalize, sep } from 'node:path'
import { invalid } from '@kernel/contracts'

/** Bytes; far beyond any Procfile, app.json or package.json. */
const largest = 1 << 20

/**
 * The real path of something in the tree, or undefined where it is not there.
 * @throws invalid where it leads out of the tree
 */
export async function resolveInside(root: string, path: string): Promise<string | undefined> {
  let real: string
  try {
    real = await realpath(join(root, path))
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw invalid(`${path} can't be resolved: ${(error as Error).message}`, { cause: error })
  }
  const base = await realpath(root)
  if (real !== base && !real.startsWith(base + sep)) throw invalid(`${path} leads out of the source tree`)
  return real
}

/** The text of a file in the tree, or undefined where there is no such file. @throws invalid where it is too large, no file, or outside */
export async function readSourceFile(root: string, path: string): Promise<string | undefined> {
  const real = await resolveInside(root, path)
  if (real === undefined) return undefined
  const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const found = await file.stat()
    if (!found.isFile()) throw invalid(`${path} is not a file`)
    if (found.size > largest) throw invalid(`${path} is larger than ${largest >> 10} KiB`)
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

/** What a path in the tree is. */
export async function kindOf(root: string, path: string): Promise<'file' | 'folder' | undefined> {
  const real = await resolveInside(root, path)
  if (real === undefined) return undefined
  const found = await stat(real)
  return found.isFile() ? 'file' : found.isDirectory() ? 'folder' : undefined
}

export const hasFile = async (root: string, path: string) => (await kindOf(root, path)) === 'file'

/** Names at the top of the tree, for messages. */
export async function topNames(root: string): Promise<string[]> {
  return (await readdir(root)).sort()
}

/** A path that is meant to stay in the tree, in its shortest form. @throws invalid */
export function checkRelativePath(path: string, what: string): string {
  const short = normalize(path).replace(/\/$/, '')
  if (path.includes('\0') || isAbsolute(short) || short === '..' || short.startsWith('../'))
    throw invalid(`${what} has to be a path inside the source tree, not ${JSON.stringify(path)}`)
  return short
}
