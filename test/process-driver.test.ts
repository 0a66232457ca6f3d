import { beforeAll, describe, expect, it } from 'vitest'
import { findProgram, lacks } from './harness/host.ts'
import { examples, kernelCommand } from './harness/product.ts'
import { Repository } from './harness/repository.ts'
import { run } from './harness/run.ts'
import { nodeApp, nodeProgram } from './harness/sources.ts'
import { eventually } from './harness/until.ts'
import { useDaemon } from './harness/use-daemon.ts'
import { fetchPage, visitDuring } from './harness/visitor.ts'

const isRoot = process.getuid?.() === 0
/** An account of every Linux that owns nothing. */
const nobody = 65534

/** Whether an ordinary user can read the product: a checkout in root's own home is closed to them. */
async function othersCanRead(): Promise<boolean> {
  const setpriv = findProgram('setpriv')
  if (!isRoot || !setpriv) return false
  const drop = ['--reuid', String(nobody), '--regid', String(nobody), '--clear-groups']
  const { code } = await run(setpriv, [...drop, ...kernelCommand(), 'version', '--client'])
  if (code !== 0) console.warn('an ordinary user: skipped, for the checkout is closed to other users')
  return code === 0
}

const asNobody = await othersCanRead()

describe.each([
  ...(isRoot ? [{ who: 'root, who asks for it', uid: undefined, args: ['--driver', 'process'] }] : []),
  ...(asNobody ? [{ who: 'an ordinary user', uid: nobody, args: [] }] : []),
  ...(isRoot ? [] : [{ who: 'this user', uid: undefined, args: [] }]),
])('without containers, as $who', ({ uid, args }) => {
  const lab = useDaemon({ uid, args })
  let hello: Repository

  beforeAll(async () => {
    hello = await Repository.create(lab.daemon, 'hello', `${examples}/hello-node`)
  })

  it('says what is missing, and that nothing is isolated', async () => {
    const { daemon } = lab
    const system = await daemon.json<{ driver: string; isolated: boolean; warning: string }>(['system:info'])
    expect(system).toMatchObject({
      driver: 'process',
      isolated: false,
      warning: expect.stringMatching(/isolation/i),
    })
    expect((await daemon.kernel(['system:info'])).stderr).toMatch(/^ ! {5}.*isolation/im)
    expect(daemon.logTail()).toMatch(/No containers: .*(driver `process` was asked for|need root)/)
  })

  it('deploys a Node app and a static site', async () => {
    const { daemon } = lab
    const { output } = await hello.deploy()
    expect(output).toContain('=====> Application deployed:')
    expect(await fetchPage(daemon.url('hello'))).toMatchObject({
      status: 200,
      body: expect.stringContaining('Release v1'),
    })
    const site = await Repository.create(daemon, 'site', `${examples}/hello-static`)
    await site.deploy()
    expect((await fetchPage(daemon.url('site'))).body).toContain('Hello from a static site')
    const [row] = await daemon.json<Array<{ name: string; state: string }>>(['apps:list'])
    expect(row).toMatchObject({ name: 'hello', state: 'running' })
  })

  it('replaces the content without a failed request', async () => {
    const { daemon } = lab
    await hello.commit(nodeApp('one'))
    await hello.deploy()
    await hello.commit(nodeApp('two'))
    const { seen } = await visitDuring(daemon.url('hello'), () => hello.deploy())
    for (const visitor of seen)
      expect(visitor).toEqual({ requests: expect.any(Number), answers: ['200 one', '200 two'], failures: [] })
    await daemon.kernel(['releases:rollback', 'hello'])
    expect((await fetchPage(daemon.url('hello'))).body).toBe('one')
  })

  it('refuses what does not start', async () => {
    const { daemon } = lab
    await hello.commit(nodeProgram("console.error('no database'); process.exit(2)"))
    const { code, output } = await hello.push()
    expect(code, output).toBe(1)
    expect(output).toMatch(/^ {7}no database$/m)
    expect((await fetchPage(daemon.url('hello'))).body).toBe('one')
  })

  it('scales, logs, and runs commands', async () => {
    const { daemon } = lab
    await daemon.kernel(['ps:scale', 'hello', 'web=2'])
    const { processes } = await daemon.json<{ processes: Array<{ status: string }> }>(['ps:report', 'hello'])
    expect(processes.map(({ status }) => status)).toEqual(['running', 'running'])
    expect((await daemon.kernel(['logs', 'hello'])).stdout).toMatch(/app\[web\.2\]: listening on \d+/)
    const cat = await daemon.kernel(['run', 'hello', 'sh', '-c', 'cat; exit 6'], { input: 'typed', code: 6 })
    expect(cat.stdout).toBe('typed')
  })

  it('answers Docker clients with the reason', async ({ skip }) => {
    const { daemon } = lab
    if (lacks('the docker command line', 'docker')) return skip()
    expect((await daemon.docker(['ps', '-q'])).code).toBe(0)
    const { code, stderr } = await daemon.docker(['run', '--rm', 'busybox', 'true'])
    expect([code, stderr]).toEqual([125, expect.stringContaining('This machine can not have containers')])
  })

  it('serves the apps again after kill -9', async () => {
    const { daemon } = lab
    await daemon.kill()
    await daemon.start()
    await eventually(async () => expect((await fetchPage(daemon.url('hello'))).body).toBe('one'))
    await eventually(async () => expect((await fetchPage(daemon.url('site'))).status).toBe(200))
  })
})
