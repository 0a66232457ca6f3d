/** Writes the tree of a commit into a folder: limits held, submodules in, nothing of git's own. @module */
import { mkdir, mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type DeployOutput, invalid } from '@kernel/contracts'
import type { CheckoutTools } from './checkout-tools.ts'
import type { Git } from './git.ts'
import { fetchSubmodule, type SubmoduleFetch, submodulesOf } from './submodules.ts'
import { type Budget, budgetOf, type CommitSource, inspectTree } from './tree.ts'

/** Of the folders in `tempDir`; what is left of them at start is of no use. */
export const checkoutPrefix = 'checkout-'

/** Submodules within submodules. */
const deepest = 8

/**
 * Checks a tree and writes it into an empty folder (made where missing). Git attributes work as in any clone, but
 * no filter runs, so that files of Git LFS stay pointers, with a warning.
 * @throws invalid where the folder is not empty, or the tree passes a limit
 */
export async function checkout(
  tools: CheckoutTools,
  source: CommitSource & { app: string },
  dir: string,
  output: DeployOutput,
  signal?: AbortSignal,
): Promise<void> {
  await mkdir(dir, { recursive: true })
  if ((await readdir(dir)).length > 0)
    throw invalid(`${dir} is not empty, so nothing is checked out into it.`)
  const temp = await mkdtemp(join(tools.tempDir, checkoutPrefix))
  try {
    await writeTree(source, dir, budgetOf(tools.limits), 0)
  } finally {
    await rm(temp, { recursive: true, force: true })
  }

  async function writeTree(
    from: CommitSource & { app?: string },
    target: string,
    budget: Budget,
    depth: number,
  ): Promise<void> {
    const { git, limits } = tools
    const gitlinks = await inspectTree(git, from, limits, budget, signal)
    const env = {
      ...from.env,
      GIT_DIR: from.repository,
      GIT_WORK_TREE: target,
      GIT_INDEX_FILE: join(temp, `index-${depth}`),
    }
    await git.run(['read-tree', from.rev], { cwd: target, env, signal })
    // The modes are 644 and 755, whatever the daemon's own umask is.
    const files = ['checkout-index', '--all', '--force', '--quiet']
    await git.run(files, { cwd: target, env, signal, limits: { umask: '022' } })
    await warnOfPointers(git, target, env, output)
    if (gitlinks.length === 0) return
    if (depth >= deepest) throw invalid(`Submodules are nested more than ${deepest} deep.`)
    for (const submodule of await submodulesOf(git, from, gitlinks)) {
      output.step(`Fetching submodule ${submodule.path}`)
      const fetch: SubmoduleFetch = { ...submodule, parent: from, target }
      const { source: fetched, path } = await fetchSubmodule(tools, fetch, temp, signal)
      try {
        await writeTree(fetched, path, budget, depth + 1)
      } finally {
        await rm(fetched.repository, { recursive: true, force: true })
      }
    }
  }
}

const pointer = 'version https://git-lfs.github.com/spec/'

async function warnOfPointers(
  git: Git,
  target: string,
  env: Record<string, string>,
  output: DeployOutput,
): Promise<void> {
  const found = await git.run(['ls-files', '-z', '--', ':(attr:filter=lfs)'], { cwd: target, env })
  const pointers: string[] = []
  for (const path of found.split('\0').filter((name) => name !== ''))
    if (await beginsWith(join(target, path), pointer)) pointers.push(path)
  if (pointers.length > 0)
    output.error(
      `Git LFS is not supported: ${pointers.length === 1 ? pointers[0] : `${pointers[0]} and ${pointers.length - 1} more`} stay as pointers`,
    )
}

async function beginsWith(path: string, text: string): Promise<boolean> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(text.length), 0, text.length, 0)
    return buffer.subarray(0, bytesRead).toString('latin1') === text
  } finally {
    await file.close()
  }
}
