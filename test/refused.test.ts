import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacksContainers } from './harness/host.ts'
import { differences, settledInventory, takeInventory } from './harness/inventory.ts'
import { type Files, type PushOptions, Repository } from './harness/repository.ts'
import { appJson, ballast, nodeApp, nodeProgram } from './harness/sources.ts'
import { eventually } from './harness/until.ts'
import { useDaemon } from './harness/use-daemon.ts'
import { fetchPage, visitDuring } from './harness/visitor.ts'

const Procfile = 'web: node server.js\nworker: sleep 600\n'

interface Refusal {
  name: string
  source: Files
  /** Lines that the pusher has to read. */
  says: RegExp[]
  push?: PushOptions
  /** A setting that has to be in force, and how it goes away. */
  setting?: [set: string[], unset: string[]]
}

const startup = (path: string, more: object = {}) =>
  appJson({ healthchecks: { web: [{ type: 'startup', path, attempts: 2, wait: 0.1, ...more }] } })

const refusals: Refusal[] = [
  {
    name: 'a build that fails',
    source: nodeApp('new', {
      Dockerfile: 'FROM kernel/base:latest\nCOPY . /app\nRUN echo compiling; exit 7\nCMD ["true"]\n',
    }),
    says: [/^ {7}compiling$/m, /^ ! {5}.*(exit code|code|returned).*\b7\b/m],
  },
  {
    name: 'a Dockerfile that makes no sense',
    source: nodeApp('new', { Dockerfile: 'FROM kernel/base:latest\nFETCH it all\n' }),
    says: [/^ ! {5}.*unknown instruction.*FETCH/im],
  },
  {
    name: 'a source that no builder knows',
    source: { 'notes.txt': 'nothing to run' },
    says: [/^ ! {5}No builder knows how to build this source/m, /notes\.txt/],
  },
  {
    name: 'a check whose path answers 500',
    source: nodeProgram(
      "import { createServer } from 'node:http'\ncreateServer((q, r) => { r.statusCode = q.url === '/healthz' ? 500 : 200; r.end('new') }).listen(process.env.PORT)\nconsole.log('I have trouble')",
      startup('/healthz'),
    ),
    says: [/^ {7}I have trouble$/m, /^ ! {5}web\.1 did not pass its checks.*500/m],
  },
  {
    name: 'a check whose content is not there',
    source: nodeApp('new', startup('/', { content: 'welcome' })),
    says: [/^ ! {5}web\.1 did not pass its checks.*welcome/m],
  },
  {
    name: 'a process that ends',
    source: nodeProgram("console.error('DATABASE_URL is missing'); process.exit(3)"),
    says: [/^ {7}DATABASE_URL is missing$/m, /^ ! {5}web\.1 exited (with code 3 )?before it was ready/m],
  },
  {
    name: 'a port that never answers',
    source: nodeProgram("setInterval(() => {}, 1000); console.log('lost in thought')"),
    setting: [
      ['checks:set', 'shop', 'timeout', '2'],
      ['checks:set', 'shop', 'timeout'],
    ],
    says: [/^ {7}lost in thought$/m, /^ ! {5}web\.1 did not pass its checks within 2 s/m],
  },
  {
    name: 'a worker that ends, though web is well',
    source: nodeApp('new', {
      Procfile: 'web: node server.js\nworker: echo no queue; exit 4\n',
    }),
    setting: [
      ['ps:scale', 'shop', 'worker=1'],
      ['ps:scale', 'shop', 'worker=0'],
    ],
    says: [/^ {7}no queue$/m, /^ ! {5}worker\.1 exited (with code 4 )?before it was ready/m],
  },
  {
    name: 'a release task that fails',
    source: nodeApp('new', { Procfile: 'web: node server.js\nrelease: echo migrating; exit 5\n' }),
    says: [/^ {7}migrating$/m, /^ ! {5}.*release.*\b5\b/im],
  },
  {
    name: 'another branch than the one that is deployed',
    source: nodeApp('new'),
    push: { branch: 'feature' },
    says: [/^ ! {5}shop deploys the branch main, not feature: nothing was deployed/m],
  },
  {
    name: 'an empty Procfile',
    source: nodeApp('new', { Procfile: '# nothing yet\n\n' }),
    says: [/^ ! {5}Invalid Procfile, line 1: it is empty/m],
  },
  {
    name: 'a Procfile with a line that is none',
    source: nodeApp('new', { Procfile: 'web: node server.js\nand then some\n' }),
    says: [/^ ! {5}Invalid Procfile, line 2: "and then some" has no ":"/m],
  },
  {
    name: 'an app.json that is no JSON',
    source: nodeApp('new', { 'app.json': '{"formation": ' }),
    says: [/^ ! {5}Invalid app\.json/m],
  },
]

describe.skipIf(lacksContainers('refused pushes'))('a push that is refused', () => {
  const lab = useDaemon()
  let repository: Repository

  beforeAll(async () => {
    const { daemon } = lab
    repository = await Repository.create(daemon, 'shop', nodeApp('old', { Procfile, ...ballast(1) }))
    await repository.deploy()
    await daemon.kernel(['config:set', 'shop', 'TEAM=sales'])
  })

  /** Whatever it does, what the daemon keeps and runs is the same afterwards. */
  async function leavesAllAsItWas(work: () => Promise<void>): Promise<void> {
    const { daemon } = lab
    const before = await settledInventory(daemon)
    await work()
    await eventually(async () => expect(differences(before, await takeInventory(daemon))).toEqual([]))
  }

  it.each(refusals)('for $name: with the reason', async ({ source, says, push, setting }) => {
    const { daemon } = lab
    if (setting) await daemon.kernel(setting[0])
    await leavesAllAsItWas(async () => {
      await repository.commit({ ...source, ...ballast(1) })
      const { result, seen } = await visitDuring(daemon.url('shop'), () => repository.push(push))
      expect(result.code, result.output).toBe(1)
      for (const line of says) expect(result.output).toMatch(line)
      expect(result.output).toMatch(/^ ! \[remote rejected\] HEAD -> /m)
      for (const visitor of seen)
        expect(visitor).toEqual({ requests: expect.any(Number), answers: ['200 old'], failures: [] })
    })
    await repository.git(['reset', '-q', '--hard', 'HEAD~'])
    if (setting) await daemon.kernel(setting[1])
  })

  it.each([
    ['an upper-case name', 'Shop', /"\/Shop" is not the name of an app/],
    ['a path that leads out', '../../../etc/shop', /is not the name of an app/],
    ['a path with a folder', 'a/b', /"\/a\/b" is not the name of an app/],
    ['a name that is reserved', 'global', /"\/global" is not the name of an app/],
    ['a name that is too long', 'a'.repeat(64), /is not the name of an app/],
    ['a path of 4,000 bytes', `x/${'y'.repeat(4000)}`, /is not the name of an app/],
    ['a shell in the name', 'shop;id', /is not the name of an app/],
  ])('for %s', async (_, path, reason) => {
    await leavesAllAsItWas(async () => {
      const { code, output } = await repository.push({
        remote: `ssh://kernel@127.0.0.1:${lab.daemon.ports.ssh}/${path}`,
      })
      expect(code, output).not.toBe(0)
      expect(output).toMatch(reason)
    })
  })

  it('while the app is locked', async () => {
    const { daemon } = lab
    await leavesAllAsItWas(async () => {
      await daemon.kernel(['apps:lock', 'shop'])
      await repository.commit(nodeApp('new'))
      const { code, output } = await repository.push()
      expect(code, output).toBe(1)
      expect(output).toMatch(/^ ! {5}.*shop is locked/m)
      await daemon.kernel(['apps:unlock', 'shop'])
    })
    await repository.git(['reset', '-q', '--hard', 'HEAD~'])
  })

  it('as the first of an app: nothing is left of it once that is destroyed', async () => {
    const { daemon } = lab
    await leavesAllAsItWas(async () => {
      const source = nodeProgram('process.exit(1)', ballast(1))
      const first = await Repository.create(daemon, 'newborn', source)
      expect((await first.push()).code).toBe(1)
      expect((await fetchPage(daemon.url('newborn'))).status).not.toBe(200)
      await daemon.kernel(['apps:destroy', 'newborn', '--force'])
      expect((await fetchPage(daemon.url('newborn'))).status).toBe(404)
    })
  })

  it('does not stand in the way of the next', async () => {
    const { daemon } = lab
    await repository.commit(nodeApp('new'))
    const { seen } = await visitDuring(daemon.url('shop'), () => repository.deploy())
    for (const { answers, failures } of seen) {
      expect(failures).toEqual([])
      expect(answers).toEqual(['200 old', '200 new'])
    }
    expect((await daemon.kernel(['config:get', 'shop', 'TEAM'])).stdout).toBe('sales\n')
  })

  afterAll(async () => {
    const { daemon } = lab
    const failed = await daemon.json<Array<{ status: string; error?: string }>>(['deploys:list', 'shop'])
    for (const { status, error } of failed) if (status === 'failed') expect(error).toBeTruthy()
  })
})
