import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  appExists,
  appMaybeCreate,
  denied,
  diskLedger,
  invalid,
  postAppRename,
  postDelete,
  type ReceivedBranch,
  userAuth,
} from '@kernel/contracts'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { finished, GitLab } from './testing/git-lab.ts'

const lab = new GitLab()
beforeAll(async () => {
  await lab.start()
  await lab.keys.add('ann', readFileSync(join(lab.dir, 'id.pub'), 'utf8'))
})
afterAll(() => lab[Symbol.asyncDispose]())
beforeEach(() => {
  lab.deploy = async () => {}
})

describe('a push over SSH', () => {
  it('makes the repository, hands the tree to the deploy, and accepts the ref', async () => {
    const rev = await lab.source('blog', { 'index.html': 'hello\n' })
    lab.write('blog/bin/run', '#!/bin/sh\n', 0o755)
    await lab.commit('blog', {})
    const head = await lab.mustGit('blog', 'rev-parse', 'HEAD')
    const out = join(lab.dir, 'out')
    lab.deploy = async (branch) => {
      await branch.checkout(out)
      branch.output.step('Building')
      branch.output.detail('one\ntwo')
      branch.output.section('Application deployed:')
    }
    const { code, stderr } = await lab.git('blog', 'push', '-o', 'plan', lab.sshUrl('blog'), 'main')
    expect(stderr).toContain('remote: \x1b[1G\x1b[K-----> Building')
    expect(stderr).toContain('\x1b[1G\x1b[K       two')
    expect(stderr).toContain('[new branch]')
    expect(code).toBe(0)
    expect(readdirSync(out).sort()).toEqual(['bin', 'index.html'])
    expect(readFileSync(join(out, 'index.html'), 'utf8')).toBe('hello\n')
    expect(statSync(join(out, 'bin/run')).mode & 0o777).toBe(0o755)
    const { checkout: _, output: __, ...branch } = lab.received.at(-1)!
    expect(branch).toEqual({
      app: 'blog',
      branch: 'main',
      rev: head,
      oldRev: undefined,
      user: 'ann',
      pushOptions: ['plan'],
    })
    expect(await lab.repositories.head('blog', 'main')).toMatchObject({
      rev: head,
      subject: 'change',
      author: 'Ann',
    })
    expect(await lab.repositories.head('blog', 'other')).toBeUndefined()
    const older = join(lab.dir, 'older')
    await lab.repositories.checkout('blog', rev, older)
    expect(readdirSync(older)).toEqual(['index.html'])
    await expect(lab.repositories.checkout('blog', rev, older)).rejects.toThrow('is not empty')
    await expect(lab.repositories.checkout('blog', 'f'.repeat(40), join(lab.dir, 'no'))).rejects.toThrow(
      'no commit',
    )
  })

  it('takes every form of the path, further pushes and forced ones, and clones', async () => {
    await lab.source('forms')
    for (const path of ['forms', 'forms.git', '~/forms', 'forms/']) {
      await lab.commit('forms', { n: path })
      expect((await lab.git('forms', 'push', lab.sshUrl(path), 'main')).code).toBe(0)
    }
    const before = await lab.mustGit('forms', 'rev-parse', 'HEAD')
    await lab.mustGit('forms', 'commit', '-q', '--amend', '-m', 'other')
    expect((await lab.git('forms', 'push', lab.sshUrl('forms'), 'main')).code).toBe(1)
    expect((await lab.git('forms', 'push', '-f', lab.sshUrl('forms'), 'main')).code).toBe(0)
    expect(lab.received.at(-1)?.oldRev).toBe(before)
    await lab.mustGit('.', 'clone', '-q', lab.sshUrl('forms'), 'cloned')
    expect(await lab.mustGit('cloned', 'log', '-1', '--format=%s')).toBe('other')
  })

  it('throws everything away where the deploy refuses, and says why', async () => {
    await lab.source('bad')
    lab.deploy = async (branch) => {
      await branch.checkout(join(lab.dir, 'bad-out'))
      throw invalid('The Procfile is empty.', { hint: 'Write web: npm start' })
    }
    const { code, stderr } = await lab.git('bad', 'push', lab.sshUrl('bad'), 'main')
    expect(code).toBe(1)
    expect(stderr).toContain(' !     The Procfile is empty.')
    expect(stderr).toContain('       Write web: npm start')
    expect(stderr).toContain('! [remote rejected] main -> main (pre-receive hook declined)')
    expect(existsSync(lab.repository('bad'))).toBe(false)

    lab.deploy = async () => {}
    await lab.mustGit('bad', 'push', '-q', lab.sshUrl('bad'), 'main')
    const objects = await lab.objects('bad')
    await lab.commit('bad', { more: 'x' })
    lab.deploy = async () => {
      throw new Error('out of luck')
    }
    const again = await lab.git('bad', 'push', lab.sshUrl('bad'), 'main')
    expect(again.stderr).toContain('The push failed: ')
    expect(await lab.objects('bad')).toBe(objects)
    expect(readdirSync(join(lab.repository('bad'), 'objects')).sort()).toEqual(['info', 'pack'])
  })

  it('takes tags along, refuses two branches at once and the end of the deployed one', async () => {
    await lab.source('refs')
    await lab.mustGit('refs', 'tag', 'v1')
    const pushed = lab.received.length
    await lab.mustGit('refs', 'push', '-q', lab.sshUrl('refs'), 'main', 'v1')
    expect(lab.received.length).toBe(pushed + 1)
    await lab.mustGit('refs', 'tag', 'v2')
    await lab.mustGit('refs', 'push', '-q', lab.sshUrl('refs'), 'v2')
    expect(lab.received.length).toBe(pushed + 1)

    await lab.commit('refs', { more: 'x' })
    await lab.mustGit('refs', 'branch', 'dev')
    const two = await lab.git('refs', 'push', lab.sshUrl('refs'), 'main', 'dev')
    expect(two.code).toBe(1)
    expect(two.stderr).toContain('2 branches were pushed at once: ')
    const removed = await lab.git('refs', 'push', lab.sshUrl('refs'), ':main')
    expect(removed.code).toBe(1)
    expect(removed.stderr).toContain('main is the branch that is deployed')
    await lab.mustGit('refs', 'push', '-q', lab.sshUrl('refs'), 'dev')
    await lab.mustGit('refs', 'push', '-q', lab.sshUrl('refs'), ':dev')
    expect(lab.received.length).toBe(pushed + 2)
    const odd = await lab.git('refs', 'push', lab.sshUrl('refs'), 'main:refs/notes/x')
    expect(odd.stderr).toContain('neither a branch nor a tag')
  })

  it('finds out before the deploy that a ref has no place', async () => {
    await lab.source('places')
    await lab.mustGit('places', 'push', '-q', lab.sshUrl('places'), 'main')
    const pushed = lab.received.length
    await lab.commit('places', { more: 'x' })
    const { stderr } = await lab.git('places', 'push', lab.sshUrl('places'), 'main:main/feature')
    expect(stderr).toContain("main/feature can't be beside main.")
    expect(lab.received.length).toBe(pushed)
  })

  it('lets HEAD name the branch that is there', async () => {
    await lab.source('trunk')
    await lab.mustGit('trunk', 'push', '-q', lab.sshUrl('trunk'), 'main:trunk')
    await expect
      .poll(() => readFileSync(join(lab.repository('trunk'), 'HEAD'), 'utf8'))
      .toBe('ref: refs/heads/trunk\n')
  })

  it('asks user-auth, and refuses names that are none', async () => {
    await lab.source('secret')
    lab.plugin.on(userAuth, ({ user, command, app }) => {
      if (app === 'secret') throw denied(`${user} may not ${command[0]} ${app}.`)
    })
    const { code, stderr } = await lab.git('secret', 'push', lab.sshUrl('secret'), 'main')
    expect(stderr).toContain(' !     ann may not git-receive-pack secret.')
    expect(code).toBe(128)
    for (const path of ['../etc', 'Upper', 'a/b', '.git']) {
      const refused = await lab.git('secret', 'push', lab.sshUrl(path), 'main')
      expect(refused.stderr).toContain('is not the name of an app')
    }
    expect((await lab.git('.', 'clone', lab.sshUrl('nothing'), 'nothing')).stderr).toContain(
      'Nothing was pushed to nothing yet.',
    )
  })

  it('leaves the refs at what was deployed last where pushes overlap', async () => {
    const first = await lab.source('twice')
    const { promise: firstMayEnd, resolve: endFirst } = Promise.withResolvers<void>()
    const { promise: firstBegun, resolve: beginFirst } = Promise.withResolvers<void>()
    lab.deploy = async () => {
      beginFirst()
      await firstMayEnd
    }
    const one = lab.git('twice', 'push', lab.sshUrl('twice'), 'main')
    await firstBegun
    const { promise: secondBegun, resolve: beginSecond } = Promise.withResolvers<void>()
    lab.deploy = async () => {
      beginSecond()
      await one // as the queue of deploys does
    }
    const second = await lab.commit('twice', { more: 'x' })
    const two = lab.git('twice', 'push', lab.sshUrl('twice'), 'main')
    await secondBegun
    endFirst()
    expect((await one).code).toBe(0)
    expect(lab.received.at(-2)?.rev).toBe(first)
    expect((await two).stderr).not.toContain('rejected')
    expect((await two).code).toBe(0)
    expect((await lab.repositories.head('twice', 'main'))?.rev).toBe(second)
  })

  it('brings a deploy to its end where the client goes away', async () => {
    const rev = await lab.source('gone')
    const { promise: begun, resolve: begin } = Promise.withResolvers<ReceivedBranch>()
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>()
    lab.deploy = async (branch) => {
      begin(branch)
      await mayEnd
    }
    const push = lab.spawn('git', ['push', lab.sshUrl('gone'), 'main'], { cwd: 'gone' })
    const result = finished(push)
    const branch = await begun
    lab.kill(push)
    await result
    for (let n = 0; n < 1000; n++) branch.output.detail('a line that nobody reads any more')
    end()
    await expect.poll(async () => (await lab.repositories.head('gone', 'main'))?.rev).toBe(rev)
  })

  it('leaves nothing of a transfer that breaks off', async () => {
    await lab.source('broken', {
      big: Buffer.alloc(30_000_000, 0).map((_, n) => (n * 2654435761) >>> 13) as Buffer,
    })
    const push = lab.spawn('git', ['push', '--progress', lab.sshUrl('broken'), 'main'], { cwd: 'broken' })
    const result = finished(push)
    await expect.poll(() => existsSync(lab.repository('broken')), { interval: 2 }).toBe(true)
    lab.kill(push)
    await result
    await expect.poll(() => existsSync(lab.repository('broken'))).toBe(false)
  })

  it('streams 50 MB', async () => {
    const big = Buffer.alloc(50_000_000)
    for (let n = 0; n < big.length; n += 4) big.writeUInt32LE((n * 2654435761) >>> 0, n)
    await lab.source('big', { big })
    const out = join(lab.dir, 'big-out')
    lab.deploy = (branch) => branch.checkout(out)
    const { code } = await lab.git('big', '-c', 'core.compression=0', 'push', lab.sshUrl('big'), 'main')
    expect(code).toBe(0)
    expect(readFileSync(join(out, 'big')).equals(big)).toBe(true)
  })

  it('forgets and renames with the app, and counts its bytes', async () => {
    await lab.source('old')
    await lab.mustGit('old', 'push', '-q', lab.sshUrl('old'), 'main')
    await lab.plugin.call(postAppRename, { oldApp: 'old', app: 'new' })
    expect(existsSync(lab.repository('old'))).toBe(false)
    const entry = (await lab.plugin.call(diskLedger, [])).find(({ id }) => id === 'new')
    expect(entry).toMatchObject({ kind: 'repository', pinnedBy: ['app new'] })
    expect(entry?.bytes).toBeGreaterThan(1000)
    await lab.plugin.call(postDelete, { app: 'new' })
    expect(existsSync(lab.repository('new'))).toBe(false)
  })
})

describe('a push to an app that may not be made', () => {
  it('is refused', async () => {
    await using other = new GitLab()
    await other.start()
    await other.keys.add('ann', readFileSync(join(other.dir, 'id.pub'), 'utf8'))
    await other.source('app')
    other.plugin.on(appMaybeCreate, () => false, { order: 'pre' })
    const { code, stderr } = await other.git('app', 'push', other.sshUrl('app'), 'main')
    expect(stderr).toContain('There is no app app.')
    expect(stderr).toContain('kernel apps:create app')
    expect(code).toBe(1)
    expect((await other.plugin.call(appExists, { app: 'app' }))?.value).toBeUndefined()
  })
})

describe('a stop of the plugin', () => {
  it('ends a push that is being deployed, and leaves nothing of it', async () => {
    await using other = new GitLab()
    await other.start()
    await other.keys.add('ann', readFileSync(join(other.dir, 'id.pub'), 'utf8'))
    await other.source('app')
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>()
    other.deploy = () => {
      begin()
      return mayEnd
    }
    const push = other.git('app', 'push', other.sshUrl('app'), 'main')
    await begun
    const stopped = other.plugin.stop()
    expect((await push).code).not.toBe(0)
    await stopped
    expect(existsSync(other.repository('app'))).toBe(false)
    end()
    await expect
      .poll(() => other.log.entries.some(({ message }) => message === 'A push to app failed'))
      .toBe(true)
  })
})

describe('a push whose client has gone', () => {
  it('is not ended for its length once it has arrived', async () => {
    await using other = new GitLab()
    await other.start({ limits: { detachedSeconds: 1 } })
    await other.keys.add('ann', readFileSync(join(other.dir, 'id.pub'), 'utf8'))
    const rev = await other.source('app')
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>()
    other.deploy = async () => {
      begin()
      await mayEnd
    }
    const push = other.spawn('git', ['push', other.sshUrl('app'), 'main'], { cwd: 'app' })
    const result = finished(push)
    await begun
    other.kill(push)
    await result
    // Well beyond the time that a client may be gone.
    await new Promise((resolve) => setTimeout(resolve, 2000))
    end()
    await expect.poll(async () => (await other.repositories.head('app', 'main'))?.rev).toBe(rev)
  })
})

describe('receive-pack killed in the middle', () => {
  it.each(['SIGKILL', 'SIGTERM'] as const)(
    'by %s has its branch moved all the same where the deploy came to its end',
    async (signal) => {
      await using other = new GitLab()
      await other.start()
      await other.keys.add('ann', readFileSync(join(other.dir, 'id.pub'), 'utf8'))
      for (const round of ['first', 'second']) {
        const rev = round === 'first' ? await other.source('app') : await other.commit('app', { more: 'x' })
        await other.mustGit('app', 'tag', round)
        const killed = Promise.withResolvers<void>()
        const mayEnd = Promise.withResolvers<void>()
        other.deploy = async ({ checkout }) => {
          const { stdout } = await other.run('pgrep', ['-f', `receive-pack ${other.repository('app')}`])
          await checkout(mkdtempSync(join(other.dir, 'tree-')))
          for (const pid of stdout.trim().split('\n').filter(Boolean)) process.kill(Number(pid), signal)
          killed.resolve()
          await mayEnd.promise
        }
        const push = other.spawn('git', ['push', other.sshUrl('app'), 'main', round], { cwd: 'app' })
        const result = finished(push)
        await killed.promise
        mayEnd.resolve()
        expect((await result).code).not.toBe(0)
        await expect.poll(async () => (await other.repositories.head('app', 'main'))?.rev).toBe(rev)
        // All of it is there, and nothing else: the next clone has it.
        await other.mustGit('.', 'clone', '-q', other.sshUrl('app'), `clone-${round}`)
        expect(await other.mustGit(`clone-${round}`, 'rev-parse', 'HEAD', `${round}^{commit}`)).toBe(
          `${rev}\n${rev}`,
        )
        await other.mustGit(`clone-${round}`, 'fsck', '--strict')
      }
    },
  )

  it('leaves a quarantine that the next start sweeps', async () => {
    await using other = new GitLab()
    await other.start()
    await other.keys.add('ann', readFileSync(join(other.dir, 'id.pub'), 'utf8'))
    await other.source('app')
    await other.mustGit('app', 'push', '-q', other.sshUrl('app'), 'main')
    await other.commit('app', { more: 'x' })
    const objects = join(other.repository('app'), 'objects')
    const quarantines = () => readdirSync(objects).filter((name) => name.includes('incoming-'))
    other.deploy = async () => {
      const { stdout } = await other.run('pgrep', ['-f', `receive-pack ${other.repository('app')}`])
      for (const pid of stdout.trim().split('\n').filter(Boolean)) process.kill(Number(pid), 'SIGKILL')
      throw new Error('killed')
    }
    const push = other.spawn('git', ['push', other.sshUrl('app'), 'main'], { cwd: 'app' })
    expect((await finished(push)).code).not.toBe(0)
    if (push.exitCode === null) await once(push, 'close')
    expect(quarantines().length).toBe(1)
    other.write('data/git/app.git/refs/heads/main.lock', '')
    other.write('data/git/.new-half/HEAD', '')
    await other.plugin.stop()
    await other.start()
    await expect.poll(quarantines).toEqual([])
    await expect.poll(() => readdirSync(join(other.dataDir, 'git'))).toEqual(['app.git'])
    other.deploy = async () => {}
    await other.mustGit('app', 'push', '-q', other.sshUrl('app'), 'main')
  })
})
