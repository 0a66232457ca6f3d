/** The bare repositories behind the apps, `<dataDir>/git/<app>.git`. @module */
import { randomBytes } from 'node:crypto'
import { lstat, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type LedgerEntry, notFound } from '@kernel/contracts'
import { KeyedMutex, removeTree } from '@kernel/state'
import { isAppName } from './app-path.ts'
import type { Git } from './git.ts'
import { heldPrefix } from './held-objects.ts'

export class RepositoryStore {
  readonly #dir: string
  readonly #git: Git
  readonly #mutex = new KeyedMutex()
  readonly #inUse = new Map<string, number>()

  /** @param dir exists, and nobody else writes in it */
  constructor(dir: string, git: Git) {
    this.#dir = dir
    this.#git = git
  }

  path(app: string): string {
    if (!isAppName(app)) throw notFound(`There is no app ${JSON.stringify(app)}.`)
    return join(this.#dir, `${app}.git`)
  }

  /** The path, where the app has a repository. */
  async find(app: string): Promise<string | undefined> {
    const path = this.path(app)
    return (await isThere(path)) ? path : undefined
  }

  /**
   * Runs `fn` with the app's repository, which is made where it is missing. One that has no ref afterwards, since
   * its first push failed, is removed again.
   */
  async use<T>(app: string, fn: (path: string) => Promise<T>): Promise<T> {
    const path = this.path(app)
    await this.#mutex.run(app, async () => {
      if (!(await isThere(path))) await this.#make(path)
      this.#inUse.set(app, (this.#inUse.get(app) ?? 0) + 1)
    })
    try {
      return await fn(path)
    } finally {
      await this.#mutex.run(app, async () => {
        const users = this.#inUse.get(app)! - 1
        if (users > 0) this.#inUse.set(app, users)
        else {
          this.#inUse.delete(app)
          if ((await isThere(path)) && (await this.#isEmpty(path))) await removeTree(path)
        }
      })
    }
  }

  async remove(app: string): Promise<void> {
    await this.#mutex.run(app, () => removeTree(this.path(app)))
  }

  async rename(oldApp: string, app: string): Promise<void> {
    const [from, to] = [this.path(oldApp), this.path(app)]
    await this.#mutex.run(oldApp, async () => {
      if (await isThere(from)) await rename(from, to)
    })
  }

  /** Disk usage, one entry an app. */
  async ledger(): Promise<LedgerEntry[]> {
    const apps = await this.#apps()
    return Promise.all(
      apps.map(async (app) => ({
        kind: 'repository',
        id: app,
        bytes: await diskUsage(this.path(app)),
        pinnedBy: [`app ${app}`],
      })),
    )
  }

  /**
   * Removes what processes that were killed left behind: half-made repositories, quarantines, temporary packs,
   * locks. At start, before any git runs.
   */
  async sweep(): Promise<string[]> {
    const swept: string[] = []
    const drop = async (path: string) => {
      await rm(path, { recursive: true, force: true })
      swept.push(path)
    }
    for (const name of await readdir(this.#dir)) if (name.startsWith('.')) await drop(join(this.#dir, name))
    for (const app of await this.#apps()) {
      const path = this.path(app)
      for (const name of await readdir(join(path, 'objects')))
        if (/^(tmp_objdir-)?incoming-|^tmp_/.test(name)) await drop(join(path, 'objects', name))
      for (const name of await readdir(join(path, 'objects', 'pack')).catch(() => []))
        if (/^\.?tmp-|^tmp_/.test(name)) await drop(join(path, 'objects', 'pack', name))
      for (const name of await readdir(path)) if (name.startsWith(heldPrefix)) await drop(join(path, name))
      for (const lock of await locksIn(path)) await drop(lock)
      if (await this.#isEmpty(path)) {
        await removeTree(path)
        swept.push(path)
      }
    }
    return swept
  }

  async #apps(): Promise<string[]> {
    const names = await readdir(this.#dir)
    return names
      .filter((name) => name.endsWith('.git'))
      .map((name) => name.slice(0, -4))
      .filter(isAppName)
      .sort()
  }

  /** Under a temporary name first, so that a repository is whole or not there. */
  async #make(path: string): Promise<void> {
    const half = join(this.#dir, `.new-${randomBytes(8).toString('hex')}`)
    await mkdir(half, { mode: 0o700 })
    await this.#git.run(['init', '--quiet', '--bare', '--template=', '--initial-branch=main', half])
    await rename(half, path)
  }

  async #isEmpty(path: string): Promise<boolean> {
    return (await this.#git.run(['for-each-ref', '--count=1'], { cwd: path })) === ''
  }
}

/** The branch HEAD names, without `refs/heads/`. */
export async function headBranch(repository: string): Promise<string | undefined> {
  const head = await readFile(join(repository, 'HEAD'), 'utf8')
  return /^ref: refs\/heads\/(.+)\n$/.exec(head)?.[1]
}

const isThere = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  )

/** Locks of refs and of the files beside them. */
async function locksIn(repository: string): Promise<string[]> {
  const top = await readdir(repository)
  const refs = await readdir(join(repository, 'refs'), { recursive: true }).catch(() => [])
  return [
    ...top
      .filter((name) => name.endsWith('.lock') || name === 'gc.pid')
      .map((name) => join(repository, name)),
    ...refs.filter((name) => name.endsWith('.lock')).map((name) => join(repository, 'refs', name)),
  ]
}

async function diskUsage(dir: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => [])) {
    const info = await lstat(join(entry.parentPath, entry.name)).catch(() => undefined)
    bytes += (info?.blocks ?? 0) * 512
  }
  return bytes
}
