import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { denied, type ReceivedBranch, userAuth } from '@kernel/contracts'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { finished, GitLab, testToken } from './testing/git-lab.ts'

const lab = new GitLab()
beforeAll(() => lab.start({ listen: undefined }))
afterAll(() => lab[Symbol.asyncDispose]())
beforeEach(() => {
  lab.deploy = async () => {}
  lab.http.requests.length = 0
})

interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

/** A request as it stands: nothing is normalized. */
function ask(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: Buffer,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port: lab.http.port, method, path, headers }, (answer) => {
      let text = ''
      answer.setEncoding('latin1').on('data', (data) => {
        text += data
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }))
      answer.on('error', reject)
    })
    call.on('error', reject)
    call.end(body)
  })
}

const bearer = { authorization: `Bearer ${testToken}` }

describe('a push over HTTP', () => {
  it('deploys, shows the output, and accepts the ref', async () => {
    const rev = await lab.source('blog')
    lab.deploy = async (branch) => branch.output.step('Building')
    const { code, stderr } = await lab.git('blog', 'push', '-o', 'plan', lab.httpUrl('blog'), 'main')
    expect(stderr).toContain('\x1b[1G\x1b[K-----> Building')
    expect(code).toBe(0)
    expect(lab.received.at(-1)).toMatchObject({ app: 'blog', rev, user: 'ci', pushOptions: ['plan'] })
    expect((await lab.repositories.head('blog', 'main'))?.rev).toBe(rev)
  })

  it('takes a large push in chunks', async () => {
    const big = Buffer.alloc(20_000_000)
    for (let n = 0; n < big.length; n += 4) big.writeUInt32LE((n * 2654435761) >>> 0, n)
    await lab.source('big', { big })
    const out = join(lab.dir, 'big-out')
    lab.deploy = (branch) => branch.checkout(out)
    await lab.mustGit('big', 'push', '-q', lab.httpUrl('big'), 'main')
    const post = lab.http.requests.find(
      ({ method, headers }) => method === 'POST' && headers['transfer-encoding'],
    )
    expect(post?.status).toBe(200)
    expect(readFileSync(join(out, 'big')).equals(big)).toBe(true)
  })

  it('rejects what the deploy refuses, and keeps nothing of it', async () => {
    await lab.source('bad')
    await lab.mustGit('bad', 'push', '-q', lab.httpUrl('bad'), 'main')
    const objects = await lab.objects('bad')
    await lab.commit('bad', { more: 'x' })
    lab.deploy = async () => {
      throw denied('Not today.')
    }
    const { code, stderr } = await lab.git('bad', 'push', lab.httpUrl('bad'), 'main')
    expect(stderr).toContain(' !     Not today.')
    expect(stderr).toContain('pre-receive hook declined')
    expect(code).toBe(1)
    expect(await lab.objects('bad')).toBe(objects)
  })

  it('brings a deploy to its end where the client goes away', async () => {
    const rev = await lab.source('gone')
    const { promise: begun, resolve: begin } = Promise.withResolvers<ReceivedBranch>()
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>()
    lab.deploy = async (branch) => {
      begin(branch)
      await mayEnd
    }
    const push = lab.spawn('git', ['push', lab.httpUrl('gone'), 'main'], { cwd: 'gone' })
    const result = finished(push)
    const { output } = await begun
    lab.kill(push)
    await result
    for (let n = 0; n < 1000; n++) output.detail('a line that nobody reads any more')
    end()
    await expect.poll(async () => (await lab.repositories.head('gone', 'main'))?.rev).toBe(rev)
  })
})

describe('a fetch over HTTP', () => {
  it('speaks protocol version 2, with gzip bodies', async () => {
    await lab.source('many')
    for (let n = 0; n < 12; n++) await lab.commit('many', { n: String(n) })
    for (let n = 0; n < 30; n++)
      await lab.mustGit('many', 'tag', `a-tag-with-quite-a-long-name-${n}`, `HEAD~${n % 12}`)
    await lab.mustGit('many', 'push', '-q', lab.httpUrl('many'), 'main', '--tags')
    lab.http.requests.length = 0
    await lab.mustGit('.', '-c', 'protocol.version=2', 'clone', '-q', lab.httpUrl('many'), 'many-clone')
    const posts = lab.http.requests.filter(({ method }) => method === 'POST')
    expect(posts.length).toBeGreaterThan(0)
    expect(posts.every(({ headers }) => headers['git-protocol'] === 'version=2')).toBe(true)
    expect(posts.some(({ headers }) => headers['content-encoding'] === 'gzip')).toBe(true)
    expect(await lab.mustGit('many-clone', 'rev-parse', 'HEAD')).toBe(
      await lab.mustGit('many', 'rev-parse', 'main'),
    )
    const capabilities = await ask('GET', '/git/many.git/info/refs?service=git-upload-pack', {
      ...bearer,
      'git-protocol': 'version=2',
    })
    expect(capabilities.body).toMatch(/^000eversion 2\n/)
    await lab.mustGit('.', '-c', 'protocol.version=0', 'clone', '-q', lab.httpUrl('many'), 'many-old')
  })

  it('says that nothing was pushed yet', async () => {
    const answer = await ask('GET', '/git/nothing.git/info/refs?service=git-upload-pack', bearer)
    expect(answer.status).toBe(404)
    expect(answer.body).toContain('Nothing was pushed to nothing yet.')
  })
})

describe('smart HTTP', () => {
  it('sends the headers that git and caches need', async () => {
    const { status, headers, body } = await ask(
      'GET',
      '/git/new.git/info/refs?service=git-receive-pack',
      bearer,
    )
    expect(status).toBe(200)
    expect(headers['content-type']).toBe('application/x-git-receive-pack-advertisement')
    expect(headers['cache-control']).toBe('no-cache, max-age=0, must-revalidate')
    expect(body).toMatch(/^001f# service=git-receive-pack\n0000/)
    expect(body).toContain('push-options')
  })

  it.each([
    ['nothing', {}],
    ['a wrong token', { authorization: 'Bearer wrong' }],
    ['a wrong password', { authorization: `Basic ${Buffer.from('x:wrong').toString('base64')}` }],
    ['the token as user name', { authorization: `Basic ${Buffer.from(`${testToken}:`).toString('base64')}` }],
  ])('asks for a token where it gets %s', async (_what, headers) => {
    const answer = await ask('GET', '/git/new.git/info/refs?service=git-receive-pack', headers)
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toBe('Basic realm="kernel"')
    expect(answer.body).toContain('kernel tokens:create')
  })

  it.each([
    ['/git/../../etc/passwd', 404],
    ['/git/..%2f..%2fetc.git/info/refs?service=git-upload-pack', 400],
    ['/git/Upper.git/info/refs?service=git-upload-pack', 400],
    ['/git/a.git/HEAD', 404],
    ['/git/a.git/objects/info/packs', 404],
    ['/git/a.git/info/refs', 400],
    ['/git/a.git/info/refs?service=git-upload-archive', 400],
  ])('answers GET %s with %i', async (path, status) => {
    expect((await ask('GET', path, bearer)).status).toBe(status)
  })

  it('refuses a body that is none of git, and one that unpacks to too much', async () => {
    await lab.source('bomb')
    await lab.mustGit('bomb', 'push', '-q', lab.httpUrl('bomb'), 'main')
    expect((await ask('POST', '/git/bomb.git/git-upload-pack', bearer, Buffer.from('x'))).status).toBe(400)
    const headers = {
      ...bearer,
      'content-type': 'application/x-git-upload-pack-request',
      'content-encoding': 'gzip',
    }
    const line = Buffer.from(`0032have ${'0'.repeat(40)}\n`)
    const bomb = gzipSync(Buffer.alloc(80_000_000, line))
    const answer = await ask('POST', '/git/bomb.git/git-upload-pack', headers, bomb)
    expect(answer.body.length).toBeLessThan(1000)
    const odd = { ...headers, 'content-encoding': 'br' }
    expect((await ask('POST', '/git/bomb.git/git-upload-pack', odd, bomb)).status).toBe(400)
  })

  it('asks user-auth', async () => {
    lab.plugin.on(userAuth, ({ user, app }) => {
      if (app === 'secret') throw denied(`${user} may not push to ${app}.`)
    })
    await lab.source('secret')
    const { code, stderr } = await lab.git('secret', 'push', lab.httpUrl('secret'), 'main')
    expect(stderr).toContain('remote: ci may not push to secret.')
    expect(code).toBe(128)
  })
})
