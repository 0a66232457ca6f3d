import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { GitLab } from './testing/git-lab.ts'

const lab = new GitLab()
let out: string
let checkouts = 0
beforeAll(async () => {
  await lab.start({ submoduleProtocols: ['https', 'file'] })
  await lab.keys.add('ann', readFileSync(join(lab.dir, 'id.pub'), 'utf8'))
  await lab.source('inner', { 'inner.txt': 'inner\n' })
  await lab.source('lib', { 'lib.txt': 'lib\n' })
  await lab.mustGit(
    'lib',
    '-c',
    'protocol.file.allow=always',
    'submodule',
    'add',
    '-q',
    join(lab.dir, 'inner'),
    'deep/inner',
  )
  await lab.commit('lib', {})
})
afterAll(() => lab[Symbol.asyncDispose]())
beforeEach(() => {
  out = join(lab.dir, `out-${++checkouts}`)
  lab.deploy = (branch) => branch.checkout(out)
})

async function withSubmodule(name: string, url: string, path = 'vendor/lib'): Promise<void> {
  await lab.source(name, { 'app.txt': 'app\n' })
  await lab.mustGit(
    name,
    '-c',
    'protocol.file.allow=always',
    'submodule',
    'add',
    '-q',
    join(lab.dir, 'lib'),
    path,
  )
  await lab.mustGit(name, 'config', '-f', '.gitmodules', `submodule.${path}.url`, url)
  await lab.commit(name, {})
}
const push = (name: string) => lab.git(name, 'push', lab.sshUrl(name), 'main')

/** Every file below a folder. */
const filesOf = (dir: string) =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .sort()

describe('submodules', () => {
  it('are fetched, and theirs too, without anything of git', async () => {
    await withSubmodule('app', join(lab.dir, 'lib'))
    const { code, stderr } = await push('app')
    expect(stderr).toContain('-----> Fetching submodule vendor/lib')
    expect(code).toBe(0)
    expect(filesOf(out)).toEqual([
      '.gitmodules',
      'app.txt',
      'vendor/lib/.gitmodules',
      'vendor/lib/deep/inner/inner.txt',
      'vendor/lib/lib.txt',
    ])
    expect(readdirSync(join(lab.dataDir, 'tmp'))).toEqual([])
  })

  it('with a relative URL are those of other apps here', async () => {
    lab.deploy = async () => {}
    await lab.mustGit('lib', 'push', '-q', lab.sshUrl('lib'), 'main')
    lab.deploy = (branch) => branch.checkout(out)
    await withSubmodule('sibling', '../lib.git')
    expect((await push('sibling')).stderr).not.toContain(' !     ')
    expect(existsSync(join(out, 'vendor/lib/lib.txt'))).toBe(true)
    out = `${out}-stray`
    await withSubmodule('stray', '../../../etc')
    expect((await push('stray')).stderr).toContain('has the relative URL ../../../etc')
  })

  it.each([
    ['http://example.com/x', 'is not allowed'],
    ['ssh://git@127.0.0.1:1/x', 'is not allowed'],
    ['git@example.com:x', 'is not allowed'],
    ['/nonexistent/lib', 'can not be fetched'],
  ])('from %s: %s', async (url, said) => {
    const name = `from-${url.length}`
    await withSubmodule(name, url)
    const { code, stderr } = await push(name)
    expect(stderr).toContain(said)
    expect(code).toBe(1)
    expect(readdirSync(join(lab.dataDir, 'tmp'))).toEqual([])
  })

  it('without a URL are refused, with what to do', async () => {
    await lab.source('embedded', { 'app.txt': 'app\n' })
    await lab.source('embedded/inner')
    await lab.commit('embedded', {})
    const { stderr } = await push('embedded')
    expect(stderr).toContain(' !     inner is a submodule, but .gitmodules has no URL for it.')
    expect(stderr).toContain('git rm --cached inner')
  })
})

describe('a checkout', () => {
  it('warns of files of Git LFS', async () => {
    await lab.source('lfs', {
      '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n',
      'a.bin': 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n',
      'b.bin': 'a real file',
    })
    const { code, stderr } = await push('lfs')
    expect(stderr).toContain(' !     Git LFS is not supported: a.bin stay as pointers')
    expect(code).toBe(0)
  })

  it('goes into an empty folder only', async () => {
    mkdirSync(join(out, 'there'), { recursive: true })
    symlinkSync('/etc', join(out, 'etc'))
    await lab.source('full')
    expect((await push('full')).stderr).toContain('is not empty')
  })
})
