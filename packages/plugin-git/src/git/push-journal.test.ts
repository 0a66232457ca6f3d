import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryLogger } from '@kernel/kernel/testing'
import { type Database, openDatabase } from '@kernel/state'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { configSchema } from '../config.ts'
import { createGit, type Git } from './git.ts'
import { PushJournal } from './push-journal.ts'
import { RepositoryStore } from './repositories.ts'

let dir: string
let db: Database
let git: Git
let store: RepositoryStore
let journal: PushJournal
let repository: string
let quarantine: string
let newRev: string

/** A repository with nothing in it, and a quarantine with the pack of one commit, as receive-pack makes them. */
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'push-journal-'))
  for (const name of ['git', 'hooks', 'quarantine']) mkdirSync(join(dir, name))
  db = openDatabase(join(dir, 'git.db'))
  git = createGit(join(dir, 'hooks'), configSchema.parse({ dataDir: dir, cli: ['cli'] }).limits)
  store = new RepositoryStore(join(dir, 'git'), git)
  journal = new PushJournal(db, git)
  const work = join(dir, 'work')
  await git.run(['init', '-q', work])
  const who = {
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a',
  }
  await git.run(['commit', '-q', '--allow-empty', '-m', 'x'], { cwd: work, env: who })
  newRev = (await git.run(['rev-parse', 'HEAD'], { cwd: work })).trim()
  await git.run(['gc', '-q'], { cwd: work })
  quarantine = join(work, '.git', 'objects')
  repository = store.path('shop')
  await git.run(['init', '-q', '--bare', '-b', 'trunk', repository])
})
afterEach(() => {
  db.close()
  rmSync(dir, { recursive: true })
})

const begin = () =>
  journal.begin({ app: 'shop', repository, ref: 'refs/heads/main', newRev, objects: quarantine })
const packs = () => readdirSync(join(repository, 'objects', 'pack')).filter((name) => name.endsWith('.pack'))
const main = () => git.run(['for-each-ref', '--format=%(objectname)', 'refs/heads/main'], { cwd: repository })
/** As the next daemon does: the quarantine is gone by then. */
async function restart(deployed: string | undefined): Promise<void> {
  rmSync(quarantine, { recursive: true })
  await new PushJournal(db, git).recover(store, async () => deployed, memoryLogger())
}

describe('a push that a kill has cut off', () => {
  it('has its branch where it was deployed, and HEAD names a branch that is there', async () => {
    await begin()
    await restart(newRev)
    expect((await main()).trim()).toBe(newRev)
    expect((await git.run(['symbolic-ref', 'HEAD'], { cwd: repository })).trim()).toBe('refs/heads/main')
    expect(await git.run(['log', '--format=%s', 'main'], { cwd: repository })).toBe('x\n')
    await store.sweep()
    expect(existsSync(repository)).toBe(true)
  })

  it.each([undefined, '0'.repeat(40)])('leaves nothing where %s is deployed', async (deployed) => {
    await begin()
    expect(packs()).toHaveLength(1)
    await restart(deployed)
    expect([packs(), await main()]).toEqual([[], ''])
  })

  it('is put in order once', async () => {
    await begin()
    await restart(newRev)
    await git.run(['update-ref', '-d', 'refs/heads/main'], { cwd: repository })
    await new PushJournal(db, git).recover(store, async () => newRev, memoryLogger())
    expect(await main()).toBe('')
  })

  it('of an app that is gone by now is forgotten', async () => {
    await begin()
    rmSync(repository, { recursive: true })
    await restart(newRev)
    expect(existsSync(repository)).toBe(false)
  })
})

describe('a push that comes to its end', () => {
  it('keeps its packs where it is accepted', async () => {
    await (await begin())(true)
    expect(packs()).toHaveLength(1)
  })

  it('leaves nothing where it is refused', async () => {
    await (await begin())(false)
    expect(readdirSync(join(repository, 'objects', 'pack'))).toEqual([])
  })

  it('takes nothing from another one of the same commits', async () => {
    const [first, second] = [await begin(), await begin()]
    await first(false)
    expect(packs()).toHaveLength(1)
    await second(true)
    expect(packs()).toHaveLength(1)
    // What was in the repository before is no push's to remove.
    await (await begin())(false)
    expect(packs()).toHaveLength(1)
  })
})
