/** Builds as things of their own: they outlive their pusher, can be followed, cancelled, listed and forgotten. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { differences, settledInventory, takeInventory } from './harness/inventory.ts'
import { kernelCommand } from './harness/product.ts'
import { Repository } from './harness/repository.ts'
import { run } from './harness/run.ts'
import { nodeApp } from './harness/sources.ts'
import { eventually, until } from './harness/until.ts'
import { useDaemon } from './harness/use-daemon.ts'
import { fetchPage } from './harness/visitor.ts'

interface Build {
  id: string
  app: string
  status: string
  error?: string
  release?: string
  gitRev?: string
}

/** Processes that a process runs, and those that they run. */
async function descendants(pid: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-o', 'pid=', '--ppid', String(pid)])
  const children = stdout.split('\n').filter(Boolean).map(Number)
  return [...children, ...(await Promise.all(children.map(descendants))).flat()]
}

/** A build that says when it begins its long step, and takes `seconds` for it. */
const slowApp = (text: string, seconds: number) =>
  nodeApp(text, {
    Dockerfile: [
      'FROM kernel/base:latest',
      'COPY . /app',
      // In pieces, so that the step's own line is no sign of what it says.
      `RUN echo "step of" ${text} begins && sleep ${seconds} && echo "step of" ${text} ends`,
      'CMD ["node", "/app/server.js"]\n',
    ].join('\n'),
  })

describe('a build', () => {
  const lab = useDaemon()
  const builds = (app: string) => lab.daemon.json<Build[]>(['builds:list', app])
  const page = async (app: string) => (await fetchPage(lab.daemon.url(app))).body
  const branchOf = async (repository: Repository) =>
    (await repository.git(['ls-remote', repository.remote, 'main'])).slice(0, 40)
  const headOf = async (repository: Repository) => (await repository.git(['rev-parse', 'HEAD'])).trim()

  /** Pushes, and resolves as soon as the output has `marker`; the push goes on. */
  async function pushUntil(
    repository: Repository,
    marker: string,
    options: { remote?: string; config?: string[] } = {},
  ) {
    let output = ''
    const heard = Promise.withResolvers<void>()
    let pid = 0
    const push = repository.push({
      ...options,
      onSpawn: (child) => {
        pid = child.pid!
      },
      onOutput(text) {
        output += text
        if (output.includes(marker)) heard.resolve()
      },
    })
    await Promise.race([
      heard.promise,
      push.then(({ output: all }) => Promise.reject(new Error(`the push ended early:\n${all}`))),
    ])
    return { push, pid }
  }

  it.each([
    ['over SSH is killed', 'ssh', 'SIGKILL'],
    ['over SSH is interrupted', 'ssh', 'SIGINT'],
    ['over HTTP is killed', 'http', 'SIGKILL'],
  ] as const)('whose pusher %s goes on, can be followed, and moves the branch', async (_, by, signal) => {
    const { daemon } = lab
    const app = `drop-${by}-${signal.toLowerCase()}`
    // A text of its own, so that no step comes from the cache.
    const after = `${by} after ${signal}`
    const repository = await Repository.create(daemon, app, nodeApp('before'))
    await repository.deploy()
    const before = await headOf(repository)
    await repository.commit(slowApp(after, 3))
    const token = by === 'http' ? (await daemon.json<{ token: string }>(['tokens:create', app])).token : ''
    const remote = `http://git:${token}@127.0.0.1:${daemon.ports.api}/git/${app}.git`
    const { push, pid } = await pushUntil(
      repository,
      `step of ${after} begins`,
      by === 'http' ? { remote } : {},
    )
    // With all that it runs: Ctrl-C reaches the whole group, and so does the end of a laptop.
    for (const one of [pid, ...(await descendants(pid))]) process.kill(one, signal)
    expect((await push).code).not.toBe(0)
    expect(await branchOf(repository)).toBe(before)
    const followed = await daemon.kernel(['builds:attach', app])
    // All from its beginning, and what came after the pusher had gone.
    expect(followed.stdout).toMatch(
      new RegExp(`Building .*step of ${after} begins.*step of ${after} ends.*Application deployed:`, 's'),
    )
    expect(await page(app)).toBe(after)
    await eventually(async () => expect(await branchOf(repository)).toBe(await headOf(repository)))
    expect(await builds(app)).toMatchObject([
      { status: 'succeeded', release: 'v2', gitRev: await headOf(repository) },
      { status: 'succeeded', release: 'v1' },
    ])
    const again = await repository.push()
    expect([again.code, again.output.trim()]).toEqual([0, 'Everything up-to-date'])
  })

  it('whose follower leaves goes on; one that fails ends its followers with 1', async () => {
    const { daemon } = lab
    const repository = await Repository.create(daemon, 'followed', nodeApp('before'))
    await repository.deploy()
    await repository.commit({
      ...slowApp('never', 2),
      Dockerfile: 'FROM kernel/base:latest\nRUN echo "in the" step && sleep 2 && exit 9\n',
    })
    const { push } = await pushUntil(repository, 'in the step')
    const [build] = await builds('followed')
    const [node, ...args] = kernelCommand()
    const leaver = spawn(node, [...args, 'builds:attach', build!.id], { env: daemon.env })
    await once(leaver.stdout, 'data')
    leaver.kill('SIGINT')
    expect(await once(leaver, 'exit')).toEqual([130, null])
    const follower = await daemon.kernel(['builds:attach'], { code: 1 })
    expect(follower.stdout).toContain('in the step')
    expect(follower.stderr).toMatch(/exited with code 9|9/)
    expect((await push).code).toBe(1)
    // What has ended is replayed, with the same outcome.
    await daemon.kernel(['builds:attach', build!.id], { code: 1 })
    await daemon.kernel(['builds:attach', 'nothing'], { code: 3 })
    await daemon.kernel(['builds:attach'], { code: 4 })
    expect(await page('followed')).toBe('before')
  })

  it('that a person began by a command goes on without them', async () => {
    const { daemon } = lab
    const repository = await Repository.create(daemon, 'again', slowApp('same', 2))
    await repository.deploy({ timeout: 60_000 })
    const [node, ...args] = kernelCommand()
    const rebuild = spawn(node, [...args, 'ps:rebuild', 'again', '--no-cache'], { env: daemon.env })
    await until('the step', async () => {
      const [build] = await builds('again')
      if (build?.status !== 'running') return false
      const { stdout } = await daemon.kernel(['builds:output', 'again', 'current'])
      return stdout.includes('step of same begins')
    })
    rebuild.kill('SIGKILL')
    await daemon.kernel(['builds:attach', 'again'])
    expect((await builds('again'))[0]).toMatchObject({ status: 'succeeded', release: 'v2' })
  })

  it('that is cancelled ends its push with the name of who did, and leaves nothing', async () => {
    const { daemon } = lab
    const repository = await Repository.create(daemon, 'stopped', nodeApp('before'))
    await repository.deploy()
    const inventory = await settledInventory(daemon)
    const branch = await branchOf(repository)
    await repository.commit(slowApp('never', 60))
    for (const way of ['ssh', 'local']) {
      const { push } = await pushUntil(repository, 'step of never begins')
      if (way === 'ssh') await daemon.ssh(['builds:cancel', 'stopped'])
      else await daemon.kernel(['builds:cancel', 'stopped'])
      const { code, output } = await push
      expect(code).toBe(1)
      const who = way === 'ssh' ? 'e2e' : '\\S+'
      expect(output).toMatch(new RegExp(`^ ! {5}The deploy was cancelled by ${who}$`, 'm'))
      expect((await builds('stopped'))[0]).toMatchObject({
        status: 'cancelled',
        error: expect.stringMatching(new RegExp(`^The deploy was cancelled by ${who}$`)),
      })
      expect(await branchOf(repository)).toBe(branch)
      expect(await page('stopped')).toBe('before')
      await eventually(async () => expect(differences(inventory, await takeInventory(daemon))).toEqual([]))
    }
    await daemon.kernel(['builds:cancel', 'stopped'], { code: 4 })
    const [build] = await builds('stopped')
    await daemon.kernel(['builds:cancel', 'stopped', build!.id], { code: 4 })
    await daemon.kernel(['builds:cancel', 'followed', build!.id], { code: 3 })
  })

  it('that waits is cancelled alone, and the running one ends well', async () => {
    const { daemon } = lab
    const first = await Repository.create(daemon, 'line', slowApp('first', 3))
    const second = await Repository.create(daemon, 'line', slowApp('second', 60))
    const running = await pushUntil(first, 'step of first begins')
    const waiting = await pushUntil(second, 'Waiting for the deploy of')
    const [newest] = await builds('line')
    expect(newest).toMatchObject({ status: 'waiting' })
    await daemon.kernel(['builds:cancel', 'line', newest!.id])
    const { code, output } = await waiting.push
    expect(code).toBe(1)
    expect(output).toMatch(/^ ! {5}The deploy was cancelled by /m)
    expect((await running.push).code).toBe(0)
    expect((await builds('line')).map(({ status }) => status)).toEqual(['cancelled', 'succeeded'])
    expect(await page('line')).toBe('first')
  })

  it('is listed, shown, printed and forgotten', async () => {
    const { daemon } = lab
    const all = await daemon.json<Build[]>(['builds:list'])
    expect(new Set(all.map(({ app }) => app)).size).toBeGreaterThan(3)
    await daemon.kernel(['config:set', 'line', 'A=1'])
    const kinds = async (...args: string[]) =>
      (await daemon.json<Build[]>(['builds:list', 'line', ...args])).length
    expect([await kinds(), await kinds('--kind', 'build'), await kinds('--kind', 'deploy')]).toEqual([
      3, 2, 1,
    ])
    const [cancelled] = await daemon.json<Build[]>(['builds:list', 'line', '--status', 'cancelled'])
    await daemon.kernel(['builds:list', 'line', '--kind', 'house'], { code: 2 })
    const info = await daemon.kernel(['builds:info', 'line', cancelled!.id])
    expect(info.stdout).toMatch(/Status: +cancelled\n +Error: +The deploy was cancelled by/)
    await daemon.kernel(['builds:info', 'again', cancelled!.id], { code: 3 })
    expect((await daemon.kernel(['builds:output', 'line'])).stdout).toContain('Application deployed:')
    await daemon.kernel(['builds:output', 'line', 'current'], { code: 4 })
    expect((await daemon.kernel(['builds:prune', 'line', '--keep', '1'])).stdout).toContain(
      'Removed 2 of line',
    )
    expect(await kinds()).toBe(1)
    await daemon.kernel(['builds:prune'], { code: 2 })
    await daemon.kernel(['builds:info', 'line', cancelled!.id], { code: 3 })
  })
})
