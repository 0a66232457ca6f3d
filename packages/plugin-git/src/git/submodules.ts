/** Submodules: where they come from, and how they are fetched. @module */
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { invalid, problemOf } from '@kernel/contracts'
import { isAppName } from './app-path.ts'
import type { CheckoutTools } from './checkout-tools.ts'
import type { Git } from './git.ts'
import type { CommitSource, Gitlink } from './tree.ts'

export interface Submodule extends Gitlink {
  url: string
}

export interface SubmoduleFetch extends Submodule {
  /** The commit that names it; its app, where it is one of ours. */
  parent: CommitSource & { app?: string }
  /** Folder of that commit's checkout. */
  target: string
}

/** Longest fetch of one submodule. */
const fetchTimeoutMs = 10 * 60_000

/**
 * Pairs gitlinks with their URLs in .gitmodules (gitmodules(5)).
 * @throws invalid where one has none: what is missing would show much later, as a file that is not there
 */
export async function submodulesOf(
  git: Git,
  parent: CommitSource,
  gitlinks: Gitlink[],
): Promise<Submodule[]> {
  const listing = await git
    .run(
      [
        'config',
        '--blob',
        `${parent.rev}:.gitmodules`,
        '-z',
        '--get-regexp',
        '^submodule\\..*\\.(path|url)$',
      ],
      {
        cwd: parent.repository,
        env: parent.env,
      },
    )
    .catch(() => '')
  const modules = new Map<string, { path?: string; url?: string }>()
  for (const record of listing.split('\0')) {
    const [, name, key, value] = /^submodule\.(.*)\.(path|url)\n(.*)$/s.exec(record) ?? []
    if (name !== undefined) modules.set(name, { ...modules.get(name), [key as string]: value })
  }
  return gitlinks.map((gitlink) => {
    const found = [...modules.values()].find(({ path }) => path === gitlink.path)
    if (!found?.url)
      throw invalid(`${gitlink.path} is a submodule, but .gitmodules has no URL for it.`, {
        hint: `If it should be ordinary files: git rm --cached ${gitlink.path}, delete its .git folder, add it again.`,
      })
    return { ...gitlink, url: found.url }
  })
}

/**
 * Fetches the commit, and only it where the other side allows, into a temporary repository below `temp`.
 * @throws invalid for a URL that is not allowed, and for a fetch that fails, with what git said
 */
export async function fetchSubmodule(
  tools: CheckoutTools,
  fetch: SubmoduleFetch,
  temp: string,
  signal?: AbortSignal,
): Promise<{ source: CommitSource & { app?: string }; path: string }> {
  const { git, limits, submoduleProtocols } = tools
  // Git makes an empty folder for a gitlink. Anything else in its way, such as a link, must not be followed.
  const path = join(await realpath(fetch.target), fetch.path)
  if ((await realpath(path).catch(() => '')) !== path)
    throw invalid(`${fetch.path} is no folder for a submodule.`)
  const { url, app } = await resolveUrl(tools, fetch)
  const own = app !== undefined
  const repository = await mkdtemp(join(temp, 'submodule-'))
  const env = {
    GIT_ALLOW_PROTOCOL: own ? 'file' : submoduleProtocols.join(':'),
    GIT_SSH_COMMAND: 'ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new',
  }
  const timeout = AbortSignal.timeout(fetchTimeoutMs)
  const run = (args: string[]) =>
    git.run(args, {
      cwd: repository,
      env,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      limits: { fileBytes: limits.packBytes },
    })
  try {
    await run(['init', '--quiet', '--bare', '--template=', '.'])
    await fetchCommit(run, url, fetch.rev)
    return { source: { repository, rev: fetch.rev, env: {}, app }, path }
  } catch (error) {
    await rm(repository, { recursive: true, force: true })
    if (signal?.aborted) throw error
    const said = timeout.aborted ? 'it took too long' : (problemOf(error) ?? (error as Error)).message
    throw invalid(`The submodule ${fetch.path} (${withoutPassword(url)}) can not be fetched: ${said}`, {
      hint: 'It has to be readable from this server, by https or by ssh with a key of the daemon.',
      cause: error,
    })
  }
}

/** By name first; servers that refuse that give all their branches and tags. */
async function fetchCommit(
  run: (args: string[]) => Promise<string>,
  url: string,
  rev: string,
): Promise<void> {
  const fetch = ['fetch', '--quiet', '--no-tags', '--no-recurse-submodules', '--no-write-fetch-head']
  try {
    await run([...fetch, '--depth=1', '--', url, rev])
  } catch (error) {
    await run([...fetch, '--', url, '+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*']).catch(() => {
      throw error
    })
  }
  await run(['cat-file', '-e', `${rev}^{commit}`])
}

/** `./` and `../` are relative to the repository the parent was cloned from, which is the app on this server. */
async function resolveUrl(
  tools: CheckoutTools,
  { url, path, parent }: SubmoduleFetch,
): Promise<{ url: string; app?: string }> {
  if (/^\.\.?\//.test(url)) {
    const app = posix.join(`/${parent.app ?? '?'}`, url).replace(/^\/|\/$|\.git\/?$/g, '')
    const repository = isAppName(app) ? await tools.repositoryOf(app) : undefined
    if (repository) return { url: repository, app }
    throw invalid(
      `The submodule ${path} has the relative URL ${url}, and no app of this server is meant by it.`,
      {
        hint: `Use an absolute URL: git submodule set-url ${path} https://...`,
      },
    )
  }
  const protocol = protocolOf(url)
  if (protocol === undefined || !tools.submoduleProtocols.includes(protocol))
    throw invalid(`The submodule ${path} has the URL ${withoutPassword(url)}, which is not allowed.`, {
      hint: `Use ${tools.submoduleProtocols.map((name) => `${name}://`).join(' or ')}.`,
    })
  return { url }
}

/** As git understands URLs (git-clone(1), GIT URLS); undefined for remote helpers and options. */
export function protocolOf(url: string): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]
  if (scheme) return scheme.toLowerCase()
  if (url.startsWith('-') || url.includes('::')) return undefined
  if (url.startsWith('/')) return 'file'
  return /^([^/@:\s]+@)?[^/@:\s-][^/@:\s]*:[^:]/.test(url) ? 'ssh' : undefined
}

const withoutPassword = (url: string) => url.replace(/\/\/[^/@]*@/, '//')
