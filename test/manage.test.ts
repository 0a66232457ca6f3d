import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { beforeAll, describe, expect, it } from 'vitest'
import { lacksContainers } from './harness/host.ts'
import { differences, settledInventory, takeInventory } from './harness/inventory.ts'
import { kernelCommand } from './harness/product.ts'
import { Repository } from './harness/repository.ts'
import { ballast, nodeApp, nodeProgram } from './harness/sources.ts'
import { eventually } from './harness/until.ts'
import { useDaemon } from './harness/use-daemon.ts'
import { fetchPage, visitDuring } from './harness/visitor.ts'

/** Tells what it is: its content and configuration at /, its process at /host. */
const program = (content: string) => `
import { createServer } from 'node:http'
import { hostname } from 'node:os'
const server = createServer(({ url }, response) => {
  if (url.startsWith('/say/')) console.log('said ' + url.slice(5))
  response.end(url === '/host' ? hostname() : '${content} ' + (process.env.TEAM ?? 'nobody'))
})
server.listen(process.env.PORT, () => console.log('listening'))
process.on('SIGTERM', () => server.close(() => process.exit(0)))
`

interface Process {
  name: string
  status: string
  workloadId: string
}

describe.skipIf(lacksContainers('commands for apps'))('an app that runs', () => {
  const lab = useDaemon()
  let repository: Repository

  beforeAll(async () => {
    repository = await Repository.create(lab.daemon, 'shop', nodeProgram(program('one')))
    await repository.deploy()
  })

  const page = async (path = '') => (await fetchPage(lab.daemon.url('shop') + path)).body
  const processes = async () =>
    (await lab.daemon.json<{ processes: Process[] }>(['ps:report', 'shop'])).processes

  /** Visitors see `before`, then `after`, and nothing else. */
  async function changes(before: string, after: string, work: () => Promise<unknown>): Promise<void> {
    const { seen } = await visitDuring(lab.daemon.url('shop'), work)
    const answers = [...new Set([`200 ${before}`, `200 ${after}`])]
    for (const visitor of seen)
      expect(visitor).toEqual({ requests: expect.any(Number), answers, failures: [] })
  }

  it('takes in what is configured, without a failed request', async () => {
    const { daemon } = lab
    await changes('one nobody', 'one sales', () =>
      daemon.kernel(['config:set', 'shop', 'TEAM=sales', 'DEBUG=1']),
    )
    expect((await daemon.kernel(['config:get', 'shop', 'TEAM'])).stdout).toBe('sales\n')
    await changes('one sales', 'one sales', () =>
      daemon.kernel(['config:set', '--no-restart', 'shop', 'TEAM=support']),
    )
    await changes('one sales', 'one support', () => daemon.kernel(['config:unset', 'shop', 'DEBUG']))
    expect((await daemon.kernel(['config:get', 'shop', 'DEBUG'], { code: 3 })).stdout).toBe('')
    await changes('one support', 'one nobody', () => daemon.kernel(['config:clear', 'shop']))
  })

  it('gets values to the letter', async () => {
    const { daemon } = lab
    const value = `a=b 'c' "d" $HOME \`id\` \\ ü\nsecond line`
    const encoded = Buffer.from(value).toString('base64')
    await daemon.kernel(['config:set', '--encoded', 'shop', `LETTER=${encoded}`])
    expect(await daemon.json(['config:show', 'shop'])).toEqual({ LETTER: value })
    const ran = await daemon.kernel([
      'run',
      '-e',
      'MORE=x y',
      'shop',
      'node',
      '-p',
      'process.env.MORE + process.env.LETTER',
    ])
    expect(ran.stdout).toBe(`x y${value}\n`)
    await daemon.kernel(['config:unset', '--no-restart', 'shop', 'LETTER'])
  })

  it('answers at its domains, and at no others', async () => {
    const { daemon } = lab
    const at = (host: string) => fetchPage(`http://${host}:${daemon.ports.http}/`)
    await daemon.kernel(['domains:add', 'shop', 'Shop.example.test', '*.shop.test'])
    for (const host of ['shop.example.test', 'SHOP.example.test', 'a.shop.test', 'shop.e2e.test'])
      expect([host, (await at(host)).status]).toEqual([host, 200])
    for (const host of ['example.test', 'shop.test', 'shop.example.test.evil.test'])
      expect([host, (await at(host)).status]).toEqual([host, 404])
    await daemon.kernel(['apps:create', 'rival'])
    const taken = await daemon.kernel(['domains:add', 'rival', 'shop.example.test'], { code: 4 })
    expect(taken.stderr).toMatch(/^ ! {5}.*shop\.example\.test/)
    await daemon.kernel(['apps:destroy', 'rival', '--confirm', 'rival'])
    await daemon.kernel(['domains:remove', 'shop', 'shop.example.test'])
    expect((await at('shop.example.test')).status).toBe(404)
    await daemon.kernel(['domains:set', 'shop', 'only.test'])
    expect([(await at('only.test')).status, (await at('shop.e2e.test')).status]).toEqual([200, 404])
    await daemon.kernel(['domains:reset', 'shop'])
    expect([(await at('only.test')).status, (await at('shop.e2e.test')).status]).toEqual([404, 200])
  })

  it('is scaled, and every process of it answers', async () => {
    const { daemon } = lab
    await changes('one nobody', 'one nobody', () => daemon.kernel(['ps:scale', 'shop', 'web=2']))
    expect((await processes()).map(({ name }) => name)).toEqual(['web.1', 'web.2'])
    const hosts = new Set<string>()
    for (let n = 0; n < 20; n++) hosts.add(await page('host'))
    expect(hosts.size).toBe(2)
    await changes('one nobody', 'one nobody', () => daemon.kernel(['ps:scale', 'shop', 'web=1']))
    expect((await processes()).map(({ name }) => name)).toEqual(['web.1'])
    await daemon.kernel(['ps:scale', 'shop', 'cook=1'], { code: 2 })
    await daemon.kernel(['ps:scale', 'shop', 'web=many'], { code: 2 })
  })

  it('is stopped, and started again', async () => {
    const { daemon } = lab
    await daemon.kernel(['ps:stop', 'shop'])
    const stopped = await fetchPage(daemon.url('shop'), { headers: { accept: 'text/html' } })
    expect([stopped.status, stopped.headers['content-type']]).toEqual([503, 'text/html; charset=utf-8'])
    expect(await daemon.json(['apps:list'])).toMatchObject([{ name: 'shop', state: 'stopped' }])
    await daemon.kernel(['ps:start', 'shop'])
    expect(await page()).toBe('one nobody')
  })

  it('is restarted without a failed request', async () => {
    const before = await processes()
    await changes('one nobody', 'one nobody', () => lab.daemon.kernel(['ps:restart', 'shop']))
    const after = await processes()
    expect(after.map(({ name }) => name)).toEqual(before.map(({ name }) => name))
    expect(after[0]?.workloadId).not.toBe(before[0]?.workloadId)
  })

  it('goes back to a release, with its configuration and without a build', async () => {
    const { daemon } = lab
    await daemon.kernel(['config:set', 'shop', 'TEAM=first'])
    const [first] = await daemon.json<Array<{ id: string; artifact: string }>>(['releases:list', 'shop'])
    await repository.commit(nodeProgram(program('two')))
    await repository.deploy()
    await daemon.kernel(['config:set', 'shop', 'TEAM=second'])
    expect(await page()).toBe('two second')

    await changes('two second', 'two first', () => daemon.kernel(['releases:rollback', 'shop']))
    await changes('two first', 'one first', () => daemon.kernel(['releases:rollback', 'shop', first!.id]))
    expect((await daemon.kernel(['config:get', 'shop', 'TEAM'])).stdout).toBe('first\n')
    const [now] = await daemon.json<Array<{ artifact: string; source: string; current: boolean }>>([
      'releases:list',
      'shop',
    ])
    expect(now).toMatchObject({ artifact: first?.artifact, source: 'rollback', current: true })
    const [deploy] = await daemon.json<Array<{ spans: Array<{ stage: string }> }>>(['deploys:list', 'shop'])
    expect(deploy?.spans.map(({ stage }) => stage)).not.toContain('build')
    await daemon.kernel(['releases:rollback', 'shop', 'v999'], { code: 3 })
  })

  it('tells its log: the last lines, and those that come', async () => {
    const { daemon } = lab
    for (const word of ['this', 'that', 'more']) await page(`say/${word}`)
    await eventually(async () => {
      const { stdout } = await daemon.kernel(['logs', 'shop', '-n', '2'])
      expect(stdout.split('\n').map((line) => line.replace(/^\S+ /, ''))).toEqual([
        'app[web.1]: said that',
        'app[web.1]: said more',
        '',
      ])
    })
    const [node, ...args] = kernelCommand()
    const follower = spawn(node, [...args, 'logs', 'shop', '-f', '-n', '1'], { env: daemon.env })
    const lines = createInterface({ input: follower.stdout })[Symbol.asyncIterator]()
    expect((await lines.next()).value).toMatch(/said more$/)
    await page('say/live')
    expect((await lines.next()).value).toMatch(/app\[web\.1\]: said live$/)
    await daemon.kernel(['ps:restart', 'shop'])
    expect((await lines.next()).value).toMatch(/listening$/)
    follower.kill('SIGINT')
    expect(await once(follower, 'exit')).toEqual([130, null])
  })

  it('runs one-off commands with input, environment and exit code', async () => {
    const { daemon } = lab
    const inventory = await settledInventory(daemon)
    const input = 'line\n'.repeat(50_000)
    const cat = await daemon.kernel(['run', 'shop', 'cat'], { input })
    expect(cat.stdout === input).toBe(true)
    const both = await daemon.kernel(['run', 'shop', 'sh', '-c', 'echo out; echo err >&2; exit 7'], {
      code: 7,
    })
    expect([both.stdout, both.stderr]).toEqual(['out\n', 'err\n'])
    await daemon.kernel(['run', 'shop', 'no-such-program'], { code: 127 })
    expect((await daemon.kernel(['run', 'shop', 'sh', '-c', 'echo $TEAM'])).stdout).toBe('first\n')
    const [web] = await processes()
    expect((await daemon.kernel(['enter', 'shop', 'web.1', 'hostname'])).stdout.trim()).toBe(
      await page('host'),
    )
    await daemon.kernel(['enter', 'shop', 'web.1', 'sh', '-c', 'exit 9'], { code: 9 })
    await daemon.kernel(['enter', 'shop', 'web.7', 'true'], { code: 3 })
    expect((await processes())[0]?.workloadId).toBe(web?.workloadId)
    await eventually(async () => expect(differences(inventory, await takeInventory(daemon))).toEqual([]))
  })

  it('is built by what the owner chose', async () => {
    const { daemon } = lab
    const source = nodeApp('by node', { 'public/index.html': 'by static', 'web/index.html': 'from web' })
    const site = await Repository.create(daemon, 'choice', source)
    expect((await site.deploy()).output).toContain('with the builder node')
    await daemon.kernel(['builder:set', 'choice', 'selected', 'static'])
    await daemon.kernel(['ps:rebuild', 'choice'])
    expect((await fetchPage(daemon.url('choice'))).body).toBe('by static')
    await daemon.kernel(['builder:set', 'choice', 'selected'])
    await daemon.kernel(['builder:set', 'choice', 'build-dir', 'web'])
    await daemon.kernel(['ps:rebuild', 'choice'])
    expect((await fetchPage(daemon.url('choice'))).body).toBe('from web')
    await daemon.kernel(['builder:set', 'choice', 'selected', 'No Builder'], { code: 2 })
    await daemon.kernel(['builder:set', 'choice', 'selected', 'cobol'])
    const unknown = await daemon.kernel(['ps:rebuild', 'choice'], { code: 1 })
    expect(unknown.stderr).toContain('No plugin has a builder cobol')
    expect((await fetchPage(daemon.url('choice'))).body).toBe('from web')
    await daemon.kernel(['builder:set', 'choice', 'build-dir', '../..'], { code: 2 })
    await daemon.kernel(['apps:destroy', 'choice', '-f'])
  })

  it('is checked as the owner says', async () => {
    const { daemon } = lab
    await daemon.kernel(['checks:set', 'shop', 'path', '/health'])
    expect(await daemon.json(['checks:report', 'shop'])).toMatchObject({ enabled: true, path: '/health' })
    await daemon.kernel(['checks:run', 'shop'])
    await daemon.kernel(['checks:set', 'shop', 'timeout', 'soon'], { code: 2 })
    await daemon.kernel(['checks:set', 'shop', 'path'])
    await daemon.kernel(['checks:disable', 'shop'])
    await repository.commit(nodeProgram('setInterval(() => {}, 1000)'))
    await repository.deploy()
    await daemon.kernel(['checks:set', 'shop', 'timeout', '1'])
    await daemon.kernel(['checks:run', 'shop'], { code: 1 })
    await daemon.kernel(['checks:set', 'shop', 'timeout'])
    await daemon.kernel(['checks:enable', 'shop'])
    await daemon.kernel(['releases:rollback', 'shop'])
    expect(await page()).toBe('one first')
  })

  it('is renamed with its address, its log and its repository', async () => {
    const { daemon } = lab
    await daemon.kernel(['apps:rename', 'shop', 'store'])
    expect((await fetchPage(daemon.url('store'))).body).toBe('one first')
    expect((await fetchPage(daemon.url('shop'))).status).toBe(404)
    const remote = repository.remote.replace('/shop', '/store')
    expect(await repository.git(['ls-remote', remote])).toContain('refs/heads/main')
    await daemon.kernel(['apps:rename', 'store', 'shop'])
    expect(await page()).toBe('one first')
  })

  it('is told of over SSH as on the machine itself, byte for byte', async () => {
    const { daemon } = lab
    // Ages are told in seconds; both have to be asked within one.
    for (const command of [
      ['apps:list'],
      ['apps:report', 'shop'],
      ['apps:list', '--format', 'json'],
      ['ps:report', 'shop'],
      ['config:show', 'shop'],
      ['releases:list', 'shop'],
      ['domains:report'],
      ['apps:report', 'nothing'],
      ['apps:frobnicate'],
      ['help'],
    ])
      await eventually(async () => {
        const [here, there] = await Promise.all([
          daemon.kernel(command, { code: 'any' }),
          daemon.ssh(command),
        ])
        expect({ command, ...there, output: '' }).toEqual({ command, ...here, output: '' })
      })
    const refused = await daemon.ssh(['doctor'])
    expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('does not run over SSH')])
  })

  it.each([
    'apps:list',
    'apps:report',
    'apps:report shop',
    'config:show shop',
    'config:keys shop',
    'domains:report',
    'ps:report shop',
    'ps:scale shop',
    'releases:list shop',
    'deploys:list shop',
    'builder:report shop',
    'checks:report shop',
    'ssh-keys:list',
    'tokens:list',
    'plugin:list',
    'system:info',
    'system:ledger',
    'version',
  ])('%s answers in JSON, and nothing else', async (command) => {
    const { stdout, stderr } = await lab.daemon.kernel([...command.split(' '), '--format', 'json'])
    expect([typeof JSON.parse(stdout), stderr]).toEqual(['object', ''])
  })

  it('has a terminal of the size of the user’s', async () => {
    const { daemon } = lab
    const words = (args: string[]) => args.map((arg) => `'${arg}'`).join(' ')
    const ssh = ['ssh', '-tt', ...daemon.key.sshArgs, '-p', String(daemon.ports.ssh), 'kernel@127.0.0.1']
    const local = (...args: string[]) => words([...kernelCommand(), ...args])
    // SSH sends one text, which is split into words again at the other end.
    const remote = (...args: string[]) => words([...ssh, words(args).replaceAll("'", '"')])
    for (const kernel of [local, remote]) {
      const run = await daemon.inTerminal(`stty rows 33 cols 91; ${kernel('run', 'shop', 'stty', 'size')}`)
      expect(run.stdout).toMatch(/33 91\r+$/m)
      // crun 1.8 lets the command of an exec begin a moment before it gives the terminal its size.
      const look = kernel('enter', 'shop', 'web.1', 'sh', '-c', 'tty; sleep 0.3; stty size')
      const entered = await daemon.inTerminal(`stty rows 20 cols 70; ${look}`)
      expect(entered.stdout).toMatch(/\/dev\/pts\/\d+\r+\n20 70\r+$/m)
      expect((await processes())[0]?.status).toBe('running')
    }
  })

  it('leaves nothing when it is destroyed', async () => {
    const { daemon } = lab
    await daemon.kernel(['run', 'shop', 'true'])
    const inventory = await settledInventory(daemon)
    const other = await Repository.create(daemon, 'other', nodeApp('other', ballast(1)))
    await other.deploy()
    await daemon.kernel(['config:set', 'other', 'A=1'])
    await daemon.kernel(['apps:destroy', 'other'], { code: 2 })
    expect((await fetchPage(daemon.url('other'))).body).toBe('other')
    await daemon.kernel(['apps:destroy', 'other', '--force'])
    expect((await fetchPage(daemon.url('other'))).status).toBe(404)
    await daemon.kernel(['apps:exists', 'other'], { code: 3 })
    await eventually(async () => expect(differences(inventory, await takeInventory(daemon))).toEqual([]))
  })
})
