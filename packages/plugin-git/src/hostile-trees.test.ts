import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { ReceivedBranch } from '@kernel/contracts'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { limitsSchema } from './config.ts'
import { createGit } from './git/git.ts'
import { budgetOf, inspectTree } from './git/tree.ts'
import { GitLab } from './testing/git-lab.ts'

const lab = new GitLab()
const limits = {
  packBytes: 2_000_000,
  fileBytes: 1_000_000,
  treeBytes: 3_000_000,
  files: 50,
  pathLength: 100,
  pathDepth: 5,
}
let out: string
let checkouts = 0
beforeAll(async () => {
  await lab.start({ limits })
  await lab.keys.add('ann', readFileSync(join(lab.dir, 'id.pub'), 'utf8'))
  await lab.source('src')
})
afterAll(() => lab[Symbol.asyncDispose]())
beforeEach(() => {
  out = join(lab.dir, `out-${++checkouts}`)
  lab.deploy = (branch: ReceivedBranch) => branch.checkout(out)
})

type Entry = [mode: string, name: string, object: string]

/** Writes an object as it is, without any of git's checks. */
async function object(type: string, content: string | Buffer): Promise<string> {
  const args = ['hash-object', '-t', type, '-w', '--stdin', '--literally']
  const { stdout } = await lab.run('git', args, { cwd: 'src', input: content })
  return stdout.trim()
}
const blob = (content: string) => object('blob', content)
const tree = (...entries: Entry[]) =>
  object(
    'tree',
    Buffer.concat(
      entries.flatMap(([mode, name, id]) => [Buffer.from(`${mode} ${name}\0`), Buffer.from(id, 'hex')]),
    ),
  )
const commit = (of: string) =>
  object('commit', `tree ${of}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nhostile\n`)

async function push(rev: string, app = 'victim') {
  return lab.git('src', 'push', '-f', lab.sshUrl(app), `${rev}:refs/heads/main`)
}

/** Trees that no git would make. */
const hostile: Array<[string, () => Promise<string>]> = [
  ['.git', async () => tree(['40000', '.git', await tree(['100644', 'config', await blob('x')])])],
  ['.GIT', async () => tree(['40000', '.GIT', await tree(['100644', 'config', await blob('x')])])],
  [
    'a .git below',
    async () =>
      tree(['40000', 'a', await tree(['40000', '.git', await tree(['100644', 'x', await blob('x')])])]),
  ],
  ['..', async () => tree(['40000', '..', await tree(['100644', 'escaped', await blob('x')])])],
  ['a name with a slash', async () => tree(['100644', '../escaped', await blob('x')])],
]

describe('a hostile tree', () => {
  it.each(hostile)('is refused when it arrives: %s', async (_name, make) => {
    const { code, stderr } = await push(await commit(await make()))
    expect(code).toBe(1)
    expect(stderr).toMatch(/hasDotgit|hasDotdot|fullPathname/)
    expect(existsSync(lab.repository('victim'))).toBe(false)
    expect(existsSync(out)).toBe(false)
  })

  it.each(hostile)('is refused when it is checked out: %s', async (_name, make) => {
    const git = createGit('/nonexistent', limitsSchema.parse({}))
    const all = limitsSchema.parse({})
    const source = { repository: join(lab.dir, 'src/.git'), rev: await commit(await make()), env: {} }
    await expect(inspectTree(git, source, all, budgetOf(all))).rejects.toThrow('which is not allowed')
  })

  it('is refused where a link and a folder have one name', async () => {
    const link = await blob(lab.dir)
    const folder = await tree(['100644', 'escaped', await blob('x')])
    const { code, stderr } = await push(
      await commit(await tree(['120000', 'a', link], ['40000', 'a', folder])),
    )
    expect(code).toBe(1)
    expect(stderr).toMatch(/duplicateEntries/)
    expect(existsSync(join(lab.dir, 'escaped'))).toBe(false)
  })

  it('keeps links as links, wherever they lead', async () => {
    lab.write('target', 'outside')
    const link = await blob(join(lab.dir, 'target'))
    const { code } = await push(await commit(await tree(['120000', 'link', link])), 'links')
    expect(code).toBe(0)
    expect(lstatSync(join(out, 'link')).isSymbolicLink()).toBe(true)
    expect(readlinkSync(join(out, 'link'))).toBe(join(lab.dir, 'target'))
    expect(readFileSync(join(lab.dir, 'target'), 'utf8')).toBe('outside')
  })

  it.each([
    ['a command for a URL', '[submodule "a"]\n\tpath = a\n\turl = -u./payload\n'],
    ['a name that leads out', '[submodule "../../a"]\n\tpath = a\n\turl = https://example.com/a\n'],
  ])('is refused with a .gitmodules that has %s', async (_name, modules) => {
    const { code, stderr } = await push(
      await commit(await tree(['100644', '.gitmodules', await blob(modules)])),
    )
    expect(code).toBe(1)
    expect(stderr).toMatch(/gitmodulesUrl|gitmodulesName/)
  })

  it('runs no hook and no filter of the repository', async () => {
    const attributes = await blob('* filter=evil\n')
    lab.write('.gitconfig', `[filter "evil"]\n\tsmudge = touch ${lab.dir}/smudged\n`)
    const content = await blob('content')
    const made = await tree(['100644', '.gitattributes', attributes], ['100644', 'file', content])
    expect((await push(await commit(made), 'filters')).code).toBe(0)
    expect(readFileSync(join(out, 'file'), 'utf8')).toBe('content')
    expect(existsSync(join(lab.dir, 'smudged'))).toBe(false)
  })
})

describe('a push beyond the limits', () => {
  const many = async (count: number) => {
    const content = await blob('x')
    const names = Array.from({ length: count }, (_, n) => `f${String(n).padStart(4, '0')}`)
    return tree(...names.map((name): Entry => ['100644', name, content]))
  }

  it('is refused with too many files', async () => {
    const { stderr } = await push(await commit(await many(51)))
    expect(stderr).toContain(' !     The push has more than 50 files.')
    expect((await push(await commit(await many(50)), 'fifty')).code).toBe(0)
  })

  it('is refused with trees that multiply', async () => {
    let level = await many(10)
    for (let n = 0; n < 4; n++)
      level = await tree(...['a', 'b', 'c', 'd', 'e'].map((x): Entry => ['40000', x, level]))
    expect((await push(await commit(level))).stderr).toContain('more than 50 files')
  })

  it('is refused with paths too long or too deep', async () => {
    const long = await tree(['100644', 'n'.repeat(101), await blob('x')])
    expect((await push(await commit(long))).stderr).toContain('longer than 100 bytes')
    let deep = await tree(['100644', 'f', await blob('x')])
    for (let n = 0; n < 5; n++) deep = await tree(['40000', 'd', deep])
    expect((await push(await commit(deep))).stderr).toContain('more than 5 folders deep')
  })

  it('is refused with files too large, each or together, however well they are packed', async () => {
    const large = await tree(['100644', 'zeros', await blob('0'.repeat(1_000_001))])
    expect((await push(await commit(large))).stderr).toContain('zeros is larger than 1000000 bytes')
    const part = await blob('0'.repeat(900_000))
    const together = await tree(...['a', 'b', 'c', 'd'].map((name): Entry => ['100644', name, part]))
    expect((await push(await commit(together))).stderr).toContain('larger than 3000000 bytes together')
  })

  it('is refused with a pack too large, and leaves nothing', async () => {
    const noise = Buffer.alloc(3_000_000)
    for (let n = 0; n < noise.length; n += 4) noise.writeUInt32LE((n * 2654435761) >>> 0, n)
    const rev = await commit(await tree(['100644', 'noise', await object('blob', noise)]))
    const { code, stderr } = await push(rev)
    expect(code).not.toBe(0)
    expect(stderr).toContain('maximum allowed size')
    expect(existsSync(lab.repository('victim'))).toBe(false)
    expect(readdirSync(join(lab.dataDir, 'tmp'))).toEqual([])
  })

  it('is refused with too many options', async () => {
    const options = Array.from({ length: 20 }, () => ['-o', 'x'.repeat(60_000)]).flat()
    const { code, stderr } = await lab.git('src', 'push', ...options, lab.sshUrl('victim'), 'main')
    expect(code).not.toBe(0)
    expect(stderr).toContain('The push has too many refs or options.')
  })
})
