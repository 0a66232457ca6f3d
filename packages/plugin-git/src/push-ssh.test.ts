import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { denied, invalid, userAuth } from '@kernel/contracts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GitLab } from './testing/git-lab.ts'

const lab = new GitLab()
beforeAll(async () => {
  await lab.start()
  await lab.keys.add('ann', readFileSync(join(lab.dir, 'id.pub'), 'utf8'))
})
afterAll(() => lab[Symbol.asyncDispose]())

describe('a push over SSH', () => {
  it('makes the repository, hands the tree to the deploy, and accepts the ref', async () => {
    const rev = await lab.source('blog', { 'index.html': 'hello\n', 'bin/run': '#!/bin/sh\n' })
    lab.deploy = async (branch) => {
      const dir = join(lab.dir, 'out')
      mkdirSync(dir)
      await branch.checkout(dir)
      branch.output.step('Building')
      branch.output.detail('one\ntwo')
      branch.output.section('Application deployed:')
    }
    const { code, stderr } = await lab.git('blog', 'push', '-o', 'plan', lab.sshUrl('blog'), 'main')
    expect(stderr).toContain('remote: \x1b[1G\x1b[K-----> Building')
    expect(stderr).toContain('\x1b[1G\x1b[K       two')
    expect(stderr).toContain('[new branch]')
    expect(code).toBe(0)
    expect(readFileSync(join(lab.dir, 'out/index.html'), 'utf8')).toBe('hello\n')
    const { checkout: _, output: __, ...branch } = lab.received.at(-1)!
    expect(branch).toEqual({
      app: 'blog',
      branch: 'main',
      rev,
      oldRev: undefined,
      user: 'ann',
      pushOptions: ['plan'],
    })
    expect(await lab.repositories.head('blog', 'main')).toMatchObject({
      rev,
      subject: 'change',
      author: 'Ann',
    })
  })
})
