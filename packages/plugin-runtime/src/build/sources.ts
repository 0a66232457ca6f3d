/** What COPY and ADD take: paths and patterns in a root, listed and hashed. @module */
import { createHash } from 'node:crypto'
import { createReadStream, type Stats } from 'node:fs'
import { glob, lstat, readdir, readlink } from 'node:fs/promises'
import { basename, join, posix, relative } from 'node:path'
import { invalid } from '@kernel/contracts'
import { realpathInRoot } from '@kernel/sys'

/** Where sources come from: the context, or another stage's files. */
export interface SourceRoot {
  dir: string
  ignores(path: string): boolean
  exceptions: boolean
}

/** A file, link or folder to be written. */
export interface SourceEntry {
  /** Absolute. */
  from: string
  /** Below the destination; empty for the source itself. */
  to: string
  stat: Stats
}

export interface Source {
  /** Last part of its path, for a destination that is a folder. */
  name: string
  isDir: boolean
  /** Parents before children. */
  entries: SourceEntry[]
}

/** One source may be a pattern. Paths never leave the root; `..` ends at it. @throws invalid where nothing matches */
export async function findSources(root: SourceRoot, patterns: string[]): Promise<Source[]> {
  const sources: Source[] = []
  for (const pattern of patterns) {
    const clean = posix.normalize(`/${pattern}`).slice(1)
    const paths = /[*?[]/.test(clean) ? await matches(root, clean) : [clean]
    if (paths.length === 0)
      throw invalid(`COPY failed: no source files were specified: ${pattern} matches nothing`)
    for (const path of paths) sources.push(await readSource(root, path, pattern))
  }
  return sources
}

async function matches(root: SourceRoot, pattern: string): Promise<string[]> {
  const found: string[] = []
  for await (const path of glob(pattern, { cwd: root.dir })) if (!root.ignores(path)) found.push(path)
  return found.sort()
}

async function readSource(root: SourceRoot, path: string, shown: string): Promise<Source> {
  const missing = (cause?: unknown) =>
    invalid(
      `COPY failed: file not found in build context or excluded by .dockerignore: stat ${shown}: file does not exist`,
      { cause },
    )
  const clean = path.replace(/\/+$/, '')
  if (clean !== '' && root.ignores(clean) && !root.exceptions) throw missing()
  let from: string
  try {
    // A link that is named itself is followed, within the root only.
    from = join(root.dir, realpathInRoot(root.dir, clean === '' ? '/' : clean))
  } catch (error) {
    throw missing(error)
  }
  const stat = await lstat(from).catch((error: unknown) => {
    throw missing(error)
  })
  const entries: SourceEntry[] = []
  if (!stat.isDirectory() && root.ignores(clean)) throw missing()
  if (stat.isDirectory()) await walk(root, from, '', entries)
  else entries.push({ from, to: '', stat })
  return { name: basename(clean) || '.', isDir: stat.isDirectory(), entries }
}

async function walk(root: SourceRoot, dir: string, to: string, entries: SourceEntry[]): Promise<void> {
  const stat = await lstat(dir)
  const inRoot = relative(root.dir, dir)
  const ignored = inRoot !== '' && root.ignores(inRoot)
  if (ignored && !root.exceptions) return
  if (!ignored) entries.push({ from: dir, to, stat })
  const items = (await readdir(dir, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const item of items) {
    const from = join(dir, item.name)
    const target = to === '' ? item.name : `${to}/${item.name}`
    if (item.isDirectory()) await walk(root, from, target, entries)
    else if ((item.isFile() || item.isSymbolicLink()) && !root.ignores(relative(root.dir, from)))
      entries.push({ from, to: target, stat: await lstat(from) })
  }
}

/** Hash over names, modes and contents; owners and times do not count. */
export async function digestSources(sources: Source[]): Promise<string> {
  const hash = createHash('sha256')
  for (const { name, entries } of sources)
    for (const { from, to, stat } of entries) {
      hash.update(JSON.stringify([name, to, stat.mode & 0o177777, stat.isFile() ? stat.size : 0]))
      if (stat.isSymbolicLink()) hash.update(await readlink(from))
      else if (stat.isFile()) for await (const piece of createReadStream(from)) hash.update(piece as Buffer)
    }
  return hash.digest('hex')
}
