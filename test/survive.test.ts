import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { Daemon } from './harness/daemon.ts'
import { lacksContainers } from './harness/host.ts'
import { differences, settledInventory, takeInventory } from './harness/inventory.ts'
import { kernelCommand } from './harness/product.ts'
import { Repository } from './harness/repository.ts'
import { run } from './harness/run.ts'
import { ballast, nodeApp } from './harness/sources.ts'
import { eventually } from './harness/until.ts'
import { useDaemon } from './harness/use-daemon.ts'
import { fetchPage, visitDuring } from './harness/visitor.ts'

/** Numbers that look like chance and are the same in every run. */
function* seeded(seed: number): Generator<number> {
  for (let state = seed; ; ) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    yield state / 2 ** 31
  }
}

describe.skipIf(lacksContainers('restarts of the daemon'))('a daemon', () => {
  const lab = useDaemon({ config: { debug: false } })
  let repository: Repository

  beforeAll(async () => {
    repository = await Repository.create(lab.daemon, 'shop', nodeApp('content 0'))
    await repository.deploy()
  })

  const page = async () => (await fetchPage(lab.daemon.url('shop'))).body
  const container = async () =>
    (await lab.daemon.docker(['inspect', '-f', '{{.Id}} {{.State.Pid}} {{.State.StartedAt}}', 'shop.web.1']))
      .stdout

  it('that is killed leaves containers running, and finds them again', async () => {
    const { daemon } = lab
    const before = await container()
    const pid = Number(before.split(' ')[1])
    const inventory = await settledInventory(daemon)
    await daemon.kill()
    process.kill(pid, 0)
    await expect(page()).rejects.toThrow(/ECONNREFUSED/)
    await daemon.start()
    expect(await page()).toBe('content 0')
    expect(await container()).toBe(before)
    expect(differences(inventory, await settledInventory(daemon))).toEqual([])
    expect((await daemon.kernel(['enter', 'shop', 'web.1', 'echo', 'in'])).stdout).toBe('in\n')
    await fetchPage(daemon.url('shop'))
    expect((await daemon.kernel(['logs', 'shop'])).stdout).toMatch(/listening on/)
  })

  it('that is stopped leaves them running as well', async () => {
    const { daemon } = lab
    const before = await container()
    expect(await daemon.stop('SIGTERM')).toBe(0)
    process.kill(Number(before.split(' ')[1]), 0)
    await daemon.start()
    expect(await page()).toBe('content 0')
    expect(await container()).toBe(before)
  })

  it('learns on its return what has ended meanwhile', async () => {
    const { daemon } = lab
    const before = await container()
    await daemon.kill()
    process.kill(Number(before.split(' ')[1]), 'SIGKILL')
    await daemon.start()
    await eventually(async () => expect(await page()).toBe('content 0'))
    expect(await container()).not.toBe(before)
  })

  it('that is killed during a push serves the old content, keeps no garbage, and takes the next push', async () => {
    const { daemon } = lab
    const chance = seeded(20_260_101)
    // How long a push takes here; the moments of death are spread over it.
    const begun = performance.now()
    await repository.commit(nodeApp('content 1'))
    await repository.deploy()
    const took = performance.now() - begun
    for (let round = 2; round < 8; round++) {
      await repository.commit(nodeApp(`content ${round}`))
      const at = ((round - 2) / 6 + chance.next().value / 6) * took
      const where = `killed ${Math.round(at)} ms after the push began`
      const pushed = repository.push({ timeout: 90_000 })
      await sleep(at)
      await daemon.kill()
      const { code, output } = await pushed
      await daemon.start()
      // Either the push had been taken, or nothing of it is there.
      const expected = output.includes('Application deployed') ? [round] : [round - 1, round]
      const now = await page()
      expect(
        expected.map((n) => `content ${n}`),
        `${where}\n${output}`,
      ).toContain(now)
      const served = now === `content ${round}`
      if (code === 0) expect(served, where).toBe(true)
      const garbage = await eventuallyNoGarbage(daemon)
      expect(garbage, where).toEqual([])
      expect(await daemon.json(['apps:list']), where).toMatchObject([
        { name: 'shop', state: 'running', processes: { web: 1 } },
      ])
      const { stdout } = await daemon.docker(['ps', '-a', '--format', '{{.Names}} {{.State}}'])
      expect(stdout, where).toBe('shop.web.1 running\n')
      const deploys = await daemon.json<Array<{ status: string }>>(['deploys:list', 'shop'])
      expect(
        deploys.map(({ status }) => status).filter((status) => /running|waiting/.test(status)),
        where,
      ).toEqual([])
      // The same commit again: git knows whether there is anything to do.
      const again = await repository.push()
      expect(again.code, `${where}\n${again.output}`).toBe(0)
      await eventually(async () => expect(await page(), where).toBe(`content ${round}`))
    }
    await onDiskIsWhatIsKnown(daemon)
  })

  it('that is killed during a step of a build leaves neither its container nor its files', async () => {
    const { daemon } = lab
    const before = await page()
    const inventory = await settledInventory(daemon)
    const Dockerfile = 'FROM kernel/base:latest\nCOPY . /app\nRUN echo half-way; sleep 300\n'
    await repository.commit({ ...nodeApp('never'), ...ballast(1), Dockerfile })
    let killed: Promise<unknown> | undefined
    await repository.push({
      onOutput(text) {
        if (text.includes('half-way') && !text.includes('RUN')) killed ??= daemon.kill()
      },
    })
    expect(killed).toBeDefined()
    await killed
    await daemon.start()
    expect(await page()).toBe(before)
    await eventually(async () => expect(differences(inventory, await takeInventory(daemon))).toEqual([]))
    await repository.git(['reset', '-q', '--hard', 'HEAD~'])
  })

  it('refuses a data dir that another one uses, and names it', async () => {
    const { daemon } = lab
    const [program, ...args] = kernelCommand()
    const second = await run(program, [...args, 'daemon', ...daemon.flags], { env: daemon.env })
    expect(second.code).not.toBe(0)
    expect(second.stderr).toContain(
      `Another daemon (pid ${daemon.process?.pid}) uses the data dir ${daemon.dataDir}.`,
    )
    expect(await page()).toBe(await page())
    expect(await daemon.ping()).toBe(true)
  })

  it('reads its config again at SIGHUP, and says what has to wait', async () => {
    const { daemon } = lab
    const before = daemon.process?.pid
    const { seen } = await visitDuring(daemon.url('shop'), async () => {
      writeFileSync(join(daemon.dir, 'kernel.json'), JSON.stringify({ debug: true, stopWorkloads: true }))
      process.kill(before!, 'SIGHUP')
      await eventually(() => expect(readFileSync(daemon.logFile, 'utf8')).toContain('Config reloaded'))
      await daemon.kernel(['apps:list'])
    })
    for (const { failures, answers } of seen) expect([failures, answers.length]).toEqual([[], 1])
    const log = readFileSync(daemon.logFile, 'utf8')
    expect(log).toMatch(/"changed":\["debug"\].*"msg":"Config reloaded"/)
    expect(log).toContain('Not changed before the next start: stopWorkloads')
    expect(daemon.process?.pid).toBe(before)
    writeFileSync(join(daemon.dir, 'kernel.json'), '{"debgu": true}')
    process.kill(before!, 'SIGHUP')
    await eventually(() =>
      expect(readFileSync(daemon.logFile, 'utf8')).toContain('debgu is not known. Did you mean debug?'),
    )
    expect(await daemon.ping()).toBe(true)
    writeFileSync(join(daemon.dir, 'kernel.json'), '{}')
    process.kill(before!, 'SIGHUP')
  })

  it('stands beside another one', async () => {
    const other = await Daemon.open()
    try {
      const theirs = await Repository.create(other, 'shop', nodeApp('another shop'))
      await theirs.deploy()
      expect((await fetchPage(other.url('shop'))).body).toBe('another shop')
      expect(await page()).toMatch(/^content/)
      await other.kernel(['apps:destroy', 'shop', '--force'])
      expect(await page()).toMatch(/^content/)
    } finally {
      await other.close()
    }
    expect(await page()).toMatch(/^content/)
    await lab.daemon.kernel(['ps:restart', 'shop'])
    expect(await page()).toMatch(/^content/)
  })
})

/** Every layer and snapshot on the disk belongs to somebody, and nothing half-made is left. */
async function onDiskIsWhatIsKnown(daemon: Daemon): Promise<void> {
  const { files, ledger, containers } = await settledInventory(daemon)
  const below = (folder: string) =>
    files
      .filter((path) => path.startsWith(`${folder}/`) && path.split('/').length === 2)
      .map((path) => path.split('/')[1])
  const layers = ledger.filter((line) => line.startsWith('layer ')).map((line) => line.split(/[ :]/)[2])
  expect(below('tmp')).toEqual([])
  expect(below('layers')).toEqual(layers.sort())
  expect(below('snapshots')).toEqual(containers.map((line) => line.split(' ')[1]))
  expect(below('containers')).toEqual(below('snapshots'))
}

/** What the ledger shows that nothing pins, once collection had its time. */
async function eventuallyNoGarbage(daemon: Daemon): Promise<unknown[]> {
  let garbage: unknown[] = []
  await eventually(async () => {
    garbage = await daemon.json<unknown[]>(['system:ledger', '--garbage'])
    expect(garbage).toEqual([])
  }).catch(() => {})
  return garbage
}
