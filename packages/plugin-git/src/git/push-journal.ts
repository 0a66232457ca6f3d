/**
 * Pushes under way, on record. A deploy and the move of its branch are two steps in two places: what was deployed
 * when the daemon was killed has its branch moved at the next start. So that its commit is there then, the packs of
 * a push, which git throws away with its quarantine, get a second name in the repository until the push is decided.
 * @module
 */
import { randomBytes } from 'node:crypto'
import { link, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '@kernel/kernel'
import { type Collection, collection, type Database } from '@kernel/state'
import type { Git } from './git.ts'
import { headBranch, type RepositoryStore } from './repositories.ts'

interface PushRecord {
  app: string
  ref: string
  newRev: string
  /** Files in `objects/pack` that are there only for this push. */
  packs: string[]
}

export interface PushUnderWay {
  app: string
  repository: string
  ref: string
  newRev: string
  /** Git's quarantine. */
  objects: string
}

export class PushJournal {
  readonly #records: Collection<PushRecord>
  readonly #git: Git

  constructor(db: Database, git: Git) {
    this.#records = collection<PushRecord>(db, 'pushes')
    this.#git = git
  }

  /** Before the deploy. Answers how the push is ended: accepted, or refused. */
  async begin({
    app,
    repository,
    ref,
    newRev,
    objects,
  }: PushUnderWay): Promise<(accepted: boolean) => Promise<void>> {
    const folder = packFolder(repository)
    const known = new Set(await readdir(folder).catch(() => []))
    // What a push of the same commits keeps beside this one is kept by both.
    for (const { packs } of this.#others(app)) for (const name of packs) known.delete(name)
    const packs = (await readdir(join(objects, 'pack')).catch(() => []))
      .filter((name) => /^pack-[0-9a-f]+\.(pack|idx|rev)$/.test(name) && !known.has(name))
      // An index without its pack would be a complaint of every git.
      .sort((a, b) => Number(a.endsWith('.idx')) - Number(b.endsWith('.idx')))
    const id = `${app}/${randomBytes(8).toString('hex')}`
    this.#records.put(id, { app, ref, newRev, packs })
    for (const name of packs)
      await link(join(objects, 'pack', name), join(folder, name)).catch((error: { code?: string }) => {
        if (error.code !== 'EEXIST') throw error
      })
    if (packs.length > 0) await syncNames(folder)
    return (accepted) => this.#end(id, repository, accepted)
  }

  /** For the start, before any push: moves the branches of what was deployed, and lets go of the rest. */
  async recover(
    store: RepositoryStore,
    deployedRev: (app: string) => Promise<string | undefined>,
    log: Logger,
  ): Promise<void> {
    for (const [id, { app, ref, newRev }] of this.#records.entries()) {
      const repository = await store.find(app)
      const deployed = repository !== undefined && (await deployedRev(app)) === newRev
      if (deployed) {
        await this.#git.run(['update-ref', ref, newRev], { cwd: repository })
        const head = await headBranch(repository)
        const heads = await this.#git.run(['for-each-ref', `refs/heads/${head}`], { cwd: repository })
        if (heads === '') await this.#git.run(['symbolic-ref', 'HEAD', ref], { cwd: repository })
        log.info(`${ref} of ${app} is at ${newRev} now, which was deployed when the daemon was killed`, {
          app,
        })
      }
      await this.#end(id, repository, deployed)
    }
  }

  async #end(id: string, repository: string | undefined, accepted: boolean): Promise<void> {
    const record = this.#records.get(id)
    if (!record) return
    if (!accepted && repository !== undefined) {
      const kept = new Set(this.#others(record.app, id).flatMap(({ packs }) => packs))
      for (const name of record.packs.toReversed())
        if (!kept.has(name)) await rm(join(packFolder(repository), name), { force: true })
    }
    this.#records.delete(id)
  }

  /** Other pushes to the app. */
  #others(app: string, id?: string): PushRecord[] {
    return this.#records.entries(`${app}/`).flatMap(([key, record]) => (key === id ? [] : [record]))
  }
}

const packFolder = (repository: string) => join(repository, 'objects', 'pack')

async function syncNames(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
