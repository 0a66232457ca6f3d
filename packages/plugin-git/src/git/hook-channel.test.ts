import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, it, vi } from 'vitest'
import { configSchema } from '../config.ts'
import { createGit } from './git.ts'
import { readPush, referenceTransactionScript } from './hook-channel.ts'

const message = (...fields: string[]) => Buffer.from(fields.map((field) => `${field}\0`).join(''))
const [a, b] = ['a'.repeat(40), 'b'.repeat(40)]
const whole = message(
  '/r/objects/in',
  '/r/objects',
  '2',
  'plan',
  'a=\nb',
  `${a} ${b} refs/heads/main\n${a} ${b} refs/tags/v 1\n`,
)

describe('readPush', () => {
  it('reads a push, however it is cut', async () => {
    for (const size of [1, 7, 1000]) {
      const pieces = Array.from({ length: Math.ceil(whole.length / size) }, (_, n) =>
        whole.subarray(n * size, (n + 1) * size),
      )
      expect(await readPush(Readable.from(pieces), '/r')).toEqual({
        env: { GIT_OBJECT_DIRECTORY: '/r/objects/in', GIT_ALTERNATE_OBJECT_DIRECTORIES: '/r/objects' },
        options: ['plan', 'a=\nb'],
        updates: [
          { oldRev: a, newRev: b, ref: 'refs/heads/main' },
          { oldRev: a, newRev: b, ref: 'refs/tags/v 1' },
        ],
      })
    }
  })

  it('takes paths relative to the repository', async () => {
    const push = await readPush(Readable.from([message('./objects/in', './objects', '0', '')]), '/r')
    expect(push?.env.GIT_OBJECT_DIRECTORY).toBe('/r/objects/in')
    expect(push?.updates).toEqual([])
  })

  it('answers nothing where the channel ends early', async () => {
    expect(await readPush(Readable.from([]), '/r')).toBeUndefined()
    expect(await readPush(Readable.from([whole.subarray(0, -1)]), '/r')).toBeUndefined()
  })

  it('keeps no more than is sensible', async () => {
    await expect(readPush(Readable.from([Buffer.alloc(2_000_000, 'x')]), '/r')).rejects.toThrow(
      'too many refs',
    )
  })
})

describe('the hook of a reference transaction', () => {
  it('syncs the folders of refs and objects once a ref has moved, and not before', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'git-hook-'))
    for (const name of ['bin', 'hooks']) mkdirSync(join(dir, name))
    const script = (name: string, text: string) => writeFileSync(join(dir, name), text, { mode: 0o755 })
    script('hooks/reference-transaction', referenceTransactionScript)
    script('bin/sync', `#!/bin/sh\necho "$PWD $*" >> ${dir}/synced\n`)
    vi.stubEnv('PATH', `${join(dir, 'bin')}:${process.env.PATH}`)
    try {
      const git = createGit(join(dir, 'hooks'), configSchema.parse({ dataDir: dir, cli: ['cli'] }).limits)
      const repository = join(dir, 'r.git')
      await git.run(['init', '-q', '--bare', '-b', 'main', repository])
      const tree = (await git.run(['write-tree'], { cwd: repository })).trim()
      const who = {
        GIT_AUTHOR_NAME: 'a',
        GIT_AUTHOR_EMAIL: 'a',
        GIT_COMMITTER_NAME: 'a',
        GIT_COMMITTER_EMAIL: 'a',
      }
      const rev = (await git.run(['commit-tree', '-m', 'x', tree], { cwd: repository, env: who })).trim()
      expect(existsSync(join(dir, 'synced'))).toBe(false)
      await git.run(['update-ref', 'refs/heads/topic/a', rev], { cwd: repository })
      const [line = '', ...more] = readFileSync(join(dir, 'synced'), 'utf8').trimEnd().split('\n')
      expect(more).toEqual([])
      const [where, ...folders] = line.split(' ')
      expect(where).toBe(repository)
      expect(folders).toEqual(
        expect.arrayContaining(['.', 'objects', 'objects/pack', 'refs/heads', 'refs/heads/topic']),
      )
      expect(await git.run(['config', '--get', 'core.fsync'], { cwd: repository })).toBe(
        'committed,reference\n',
      )
    } finally {
      vi.unstubAllEnvs()
      rmSync(dir, { recursive: true })
    }
  })
})
