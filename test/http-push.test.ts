import { beforeAll, describe, expect, it } from 'vitest'
import { lacksContainers } from './harness/host.ts'
import { Repository } from './harness/repository.ts'
import { must, run } from './harness/run.ts'
import { ballast, nodeApp } from './harness/sources.ts'
import { useDaemon } from './harness/use-daemon.ts'
import { fetchPage } from './harness/visitor.ts'

describe.skipIf(lacksContainers('pushes over HTTP'))('over HTTP', () => {
  const lab = useDaemon()
  let token: string
  let repository: Repository

  beforeAll(async () => {
    token = (await lab.daemon.kernel(['tokens:create', 'ci'])).stdout.trim()
    repository = await Repository.create(lab.daemon, 'web', nodeApp('one'))
  })

  const remote = (password: string, app = 'web.git') =>
    `http://ci:${password}@127.0.0.1:${lab.daemon.ports.api}/git/${app}`
  const api = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(`http://127.0.0.1:${lab.daemon.ports.api}${path}`, { method, headers })

  it('a push with a token deploys', async () => {
    const { output } = await repository.deploy({ remote: remote(token) })
    expect(output).toMatch(/^-----> Received [0-9a-f]{7} of main for web$/m)
    expect(output).toMatch(/^=====> Application deployed:$/m)
    expect((await fetchPage(lab.daemon.url('web'))).body).toBe('one')
  })

  it('a push that is larger than what git keeps in memory comes in pieces', async () => {
    await repository.commit(nodeApp('two', ballast(3)))
    await repository.deploy({ remote: remote(token), config: ['http.postBuffer=65536'] })
    expect((await fetchPage(lab.daemon.url('web'))).body).toBe('two')
  })

  it('a fetch sends what it has in a packed body', async () => {
    const { daemon } = lab
    const clone = `${daemon.dir}/clone`
    await must('git', ['clone', '-q', remote(token), clone], { env: repository.env })
    const inClone = (args: string[], env = repository.env) => run('git', args, { cwd: clone, env })
    // Each newer than all that the server has: git offers the newest first, and all of them are news to the server.
    const now = Math.floor(Date.now() / 1000)
    for (let n = 0; n < 40; n++) {
      const env = { ...repository.env, GIT_COMMITTER_DATE: `${now + 60 + n} +0000` }
      await inClone(['commit', '-q', '--allow-empty', '-m', `local ${n}`], env)
    }
    await repository.commit(nodeApp('three'))
    await repository.deploy({ remote: remote(token) })
    const env = { ...repository.env, GIT_TRACE_CURL: '1', GIT_TRACE_CURL_NO_DATA: '1' }
    const fetched = await inClone(['fetch', 'origin'], env)
    expect(fetched.code, fetched.output).toBe(0)
    expect(fetched.stderr).toContain('Content-Encoding: gzip')
    expect((await inClone(['rev-parse', 'origin/main'])).stdout).toBe(
      await repository.git(['rev-parse', 'HEAD']),
    )
  })

  it('a refused push says why', async () => {
    await repository.commit(nodeApp('four', { Procfile: 'nothing here' }))
    const { code, output } = await repository.push({ remote: remote(token) })
    expect([code, output]).toEqual([1, expect.stringMatching(/^ ! {5}Invalid Procfile, line 1/m)])
    expect((await fetchPage(lab.daemon.url('web'))).body).toBe('three')
  })

  it('nothing goes without a token that counts', async () => {
    const { daemon } = lab
    const wrong = await repository.push({ remote: remote(`${token}x`) })
    expect([wrong.code, wrong.output]).toEqual([128, expect.stringMatching(/Authentication failed|401/)])
    const challenge = await api('/git/web.git/info/refs?service=git-receive-pack')
    expect([challenge.status, challenge.headers.get('www-authenticate')]).toEqual([
      401,
      'Basic realm="kernel"',
    ])
    for (const path of ['/api/v1/apps', '/api/v1/system', '/containers/json', '/v1.44/images/json'])
      expect([path, (await api(path)).status]).toEqual([path, 401])
    const bearer = { authorization: `Bearer ${token}` }
    expect(await (await api('/api/v1/apps', bearer)).json()).toMatchObject([
      { name: 'web', state: 'running' },
    ])
    expect((await api('/containers/json', bearer)).status).toBe(200)
    // A page of another site, whatever it knows.
    const foreign = { ...bearer, origin: 'http://evil.test', 'sec-fetch-site': 'cross-site' }
    expect((await api('/api/v1/apps/web', foreign, 'DELETE')).status).toBe(403)

    const remotely = await daemon.kernel(['apps:list', '--host', `tcp://127.0.0.1:${daemon.ports.api}`], {
      env: { ...daemon.env, KERNEL_TOKEN: token },
    })
    expect(remotely.stdout).toContain('web')
    await daemon.kernel(['apps:list', '--host', `tcp://127.0.0.1:${daemon.ports.api}`], { code: 5 })
    await daemon.kernel(['tokens:revoke', 'ci'])
    expect((await api('/api/v1/apps', bearer)).status).toBe(401)
    expect((await repository.push({ remote: remote(token) })).code).toBe(128)
  })
})
