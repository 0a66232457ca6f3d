/** Reads the tree of a commit and holds it against the limits, before anything of it is written. @module */
import type { ChildProcess } from 'node:child_process'
import { invalid } from '@kernel/contracts'
import type { Limits } from '../config.ts'
import { exitOf, type Git, gitFailed } from './git.ts'

/** Where a commit is: a repository, and for pushed objects the environment of their quarantine. */
export interface CommitSource {
  /** The bare repository. */
  repository: string
  rev: string
  env: Record<string, string>
}

/** A commit of another repository in a tree, as `git ls-tree` shows it: mode 160000. */
export interface Gitlink {
  path: string
  rev: string
}

/** What a checkout may still take; one for a tree and all its submodules. */
export interface Budget {
  files: number
  bytes: number
  submodules: number
}

export const budgetOf = (limits: Limits): Budget => ({
  files: limits.files,
  bytes: limits.treeBytes,
  submodules: limits.submodules,
})

/**
 * Walks the whole tree; answers its gitlinks.
 * @throws invalid, with the path, where a limit is passed or a path could leave its folder or be taken for
 *   git's own
 */
export async function inspectTree(
  git: Git,
  { repository, rev, env }: CommitSource,
  limits: Limits,
  budget: Budget,
  signal?: AbortSignal,
): Promise<Gitlink[]> {
  const child = git.start(['-C', repository, 'ls-tree', '-r', '-l', '-z', '--full-tree', rev], env, {
    signal,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-8192)
  })
  const exit = exitOf(child)
  const gitlinks: Gitlink[] = []
  try {
    for await (const record of records(child, limits.pathLength)) {
      const entry = parseEntry(record)
      checkPath(entry.path, entry.shown, limits)
      if (--budget.files < 0)
        throw invalid(`The push has more than ${limits.files} files.`, {
          hint: 'Keep what is built or installed (node_modules, ...) out of the repository.',
        })
      if (entry.mode === '160000') {
        if (--budget.submodules < 0) throw invalid(`The push has more than ${limits.submodules} submodules.`)
        gitlinks.push({ path: entry.shown, rev: entry.object })
        continue
      }
      if (entry.size > limits.fileBytes)
        throw invalid(`${entry.shown} is larger than ${limits.fileBytes} bytes.`, {
          hint: 'Keep large files outside the repository.',
        })
      budget.bytes -= entry.size
      if (budget.bytes < 0)
        throw invalid(`The files of the push are larger than ${limits.treeBytes} bytes together.`, {
          hint: 'Keep large files outside the repository.',
        })
    }
  } catch (error) {
    child.kill('SIGKILL')
    await exit
    throw error
  }
  if ((await exit) !== 0) throw gitFailed('ls-tree', said)
  return gitlinks
}

/** Records that end with NUL; an endless one is cut off with an error. */
async function* records(child: ChildProcess, pathLength: number): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const piece of child.stdout as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    let from = 0
    for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0, from)) {
      yield rest.subarray(from, end)
      from = end + 1
    }
    rest = rest.subarray(from)
    if (rest.length > pathLength + 256) throw tooLong(rest.toString('utf8'), pathLength)
  }
}

const tooLong = (path: string, most: number) =>
  invalid(`The path ${path.slice(0, 80)}... is longer than ${most} bytes.`)

/** `<mode> SP <type> SP <object> SP+ <size> TAB <path>`, see git-ls-tree(1). */
function parseEntry(record: Buffer) {
  const tab = record.indexOf(9)
  const [mode = '', , object = '', size = ''] = record.subarray(0, tab).toString('latin1').split(/ +/)
  const path = record.subarray(tab + 1)
  return { mode, object, size: Number(size) || 0, path, shown: path.toString('utf8') }
}

/** Git checks the names as well, when it receives and when it reads a tree; here the reason is said well. */
function checkPath(path: Buffer, shown: string, limits: Limits): void {
  if (path.length > limits.pathLength) throw tooLong(shown, limits.pathLength)
  const names = path.toString('latin1').split('/')
  if (names.length > limits.pathDepth)
    throw invalid(`${shown.slice(0, 80)}... is more than ${limits.pathDepth} folders deep.`)
  for (const name of names)
    if (name === '' || name === '.' || name === '..' || /^\.git$/i.test(name))
      throw invalid(`The push has a file called ${JSON.stringify(shown)}, which is not allowed.`, {
        hint: 'No part of a path may be "..", "." or ".git".',
      })
}
