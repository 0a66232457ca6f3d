import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { postAppRename } from '@kernel/contracts'
import { afterEach, describe, expect, it } from 'vitest'
import { openStore } from './store/store.ts'
import { newWorld, type Running, startPlugin, tree, until, type World } from './testing/harness.ts'
import { Kill } from './testing/kill.ts'

const worlds: World[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close()
})
async function world(): Promise<World> {
  const made = await newWorld()
  worlds.push(made)
  return made
}

const namesOf = async (around: World) => (await around.scheduler.list()).map(({ name }) => name).sort()
/** Nothing is on its way in or out. */
const settled = (around: World) =>
  until('the retirement', async () =>
    (await around.scheduler.list()).every(
      ({ name, status }) => status === 'frozen' || /^\w+\.\w+\.\d$/.test(name),
    ),
  )

/** What must hold after any kill: all that there is belongs to the current release, or stands in the freezer. */
async function expectConsistent(around: World, plugin: Running): Promise<void> {
  const apps = await plugin.apps.list()
  const wanted: string[] = []
  const currents = new Map<string, { id: string; description: string }>()
  let frozenProcesses = 0
  for (const { name } of apps) {
    const { current, scale } = (await plugin.releases.list(name)).find((release) => release.current) ?? {}
    const report = await plugin.apps.report(name)
    const release = (await plugin.releases.list(name)).find((one) => one.current)
    if (release) currents.set(name, release)
    if (!current || report.state === 'stopped') continue
    const frozen = (await plugin.releases.list(name)).filter((one) => one.frozen)
    for (const { scale: counts } of frozen)
      for (const count of Object.values(counts)) frozenProcesses += count
    for (const [type, count] of Object.entries(scale ?? {}))
      for (let index = 1; index <= count; index++) wanted.push(`${name}.${type}.${index}`)
  }
  // What came back from the freezer was started as the release that the current one goes back to.
  const isOf = (app: string, id: string) => {
    const release = currents.get(app)
    return id === release?.id || release?.description === `Roll back to ${id}`
  }
  await until('the processes', async () => {
    const workloads = await around.scheduler.list()
    const serving = workloads.filter(({ status }) => status !== 'frozen')
    const whole = serving.every((w) => w.status === 'running' && isOf(w.app, w.releaseId))
    return (
      whole &&
      serving
        .map(({ name }) => name)
        .sort()
        .join() === wanted.sort().join() &&
      workloads.length - serving.length === frozenProcesses
    )
  })
  const releases = (await Promise.all(apps.map(({ name }) => plugin.releases.list(name)))).flat()
  const kept = new Set(releases.filter(({ pruned }) => !pruned).map(({ artifact }) => artifact))
  await until(
    'the artifacts',
    () => [...around.scheduler.artifacts.keys()].sort().join() === [...kept].sort().join(),
  )
  await until('the trees', async () => (await readdir(join(around.dataDir, 'tmp'))).length === 0)
  for (const { name } of apps)
    for (const { status } of await plugin.deploys.list(name))
      expect(['succeeded', 'failed']).toContain(status)
  expect(around.router.isReady).toBe(true)
  const routed = async () => {
    for (const { app, state, targets } of await around.router.list()) {
      const stopped = (await plugin.apps.report(app)).state === 'stopped'
      if (state !== (stopped ? 'down' : 'up')) return false
      for (const { id } of targets)
        if (around.scheduler.processes.get(id)?.workload.status !== 'running') return false
    }
    return true
  }
  await until('the routes', routed)
}

/**
 * Runs an operation once for every call it makes to the world, killed there, and judges what the next start
 * makes of it. `effect` holds where the operation was acknowledged.
 */
async function killAtEachPoint(
  operation: (plugin: Running) => Promise<unknown>,
  effect: (plugin: Running) => Promise<boolean>,
  keepFrozen = '',
): Promise<string[]> {
  const points: string[] = []
  for (const when of ['before', 'after'] as const)
    for (let at = 0; ; at++) {
      const around = await world()
      const kill = new Kill(at, when)
      const first = await startPlugin(around, { wrap: kill.wrap })
      await first.apps.create('hello')
      await first.apps.set('hello', 'keep-frozen', keepFrozen)
      await first.push('hello', tree({ content: '1' }))
      await first.push('hello', tree({ content: '2' }))
      await first.processes.scale('hello', { worker: 1 })
      await settled(around)
      kill.arm()
      let acknowledged = false
      const whole = operation(first).then(async () => {
        acknowledged = true
        await settled(around)
        return undefined
      })
      const point = await Promise.race([kill.struck, whole])
      if (point === undefined) {
        await first.stop()
        break
      }
      points.push(point)
      around.router.forgetAll()
      const second = await startPlugin(around)
      await expectConsistent(around, second).catch((error) => {
        throw new Error(`killed ${point}: ${(error as Error).message}`, { cause: error })
      })
      if (acknowledged) expect(await effect(second), `killed ${point}`).toBe(true)
      const [app] = await second.apps.list()
      if (app) expect((await second.push(app.name, tree({ content: 'after' }))).release).toMatch(/^v\d+$/)
      await second.stop()
    }
  return points
}

describe('a kill at any moment leaves a whole app behind:', () => {
  const current = async (plugin: Running) => (await plugin.apps.list())[0]?.release
  const cases: Array<[string, (plugin: Running) => Promise<unknown>, (plugin: Running) => Promise<boolean>]> =
    [
      [
        'a push',
        (plugin) => plugin.push('hello', tree({ content: '3' })),
        async (plugin) => (await current(plugin)) === 'v3',
      ],
      [
        'a rollback',
        (plugin) => plugin.releases.rollback('hello'),
        async (plugin) => (await current(plugin)) === 'v3',
      ],
      [
        'a change of config',
        (plugin) => plugin.config.update('hello', { set: { A: '1' } }),
        async (plugin) => (await plugin.config.all('hello')).A === '1',
      ],
      [
        'scaling',
        (plugin) => plugin.processes.scale('hello', { web: 2, worker: 0 }),
        async (plugin) => (await plugin.apps.report('hello')).scale.web === 2,
      ],
      [
        'stopping',
        (plugin) => plugin.processes.stop('hello'),
        async (plugin) => (await plugin.apps.report('hello')).state === 'stopped',
      ],
      [
        'renaming',
        (plugin) => plugin.apps.rename('hello', 'world'),
        async (plugin) => (await plugin.apps.list())[0]?.name === 'world',
      ],
      [
        'the end',
        (plugin) => plugin.apps.destroy('hello'),
        async (plugin) => (await plugin.apps.list()).length === 0,
      ],
    ]
  it.each(cases)('%s', { timeout: 120_000 }, async (_, operation, effect) => {
    const points = await killAtEachPoint(operation, effect)
    expect(points.length).toBeGreaterThan(5)
  })

  it.each([
    ...cases.filter(([name]) => ['a push', 'stopping', 'renaming'].includes(name)),
    [
      'a rollback from the freezer',
      (plugin: Running) => plugin.releases.rollback('hello', 'v1', { frozen: true }),
      async (plugin: Running) => (await current(plugin)) === 'v3',
    ] as (typeof cases)[number],
  ])('%s, with a release in the freezer', { timeout: 120_000 }, async (_, operation, effect) => {
    const points = await killAtEachPoint(operation, effect, '1')
    expect(points.some((point) => /scheduler\.(freeze|thaw|remove)/.test(point))).toBe(true)
  })
})

describe('a start', () => {
  it('publishes what runs before it lets visitors in, and starts what is gone', async () => {
    const around = await world()
    const first = await startPlugin(around)
    await first.apps.create('hello')
    await first.apps.create('other')
    await first.push('hello', tree({ content: '1' }))
    await first.push('other', tree({ content: '2' }))
    await settled(around)
    await first.stop()
    around.router.forgetAll()
    // The machine has lost one process and stopped the other's.
    const [hello] = await around.scheduler.list({ app: 'hello' })
    await around.scheduler.remove(hello?.id as string)
    const second = await startPlugin(around)
    expect(around.router.isReady).toBe(true)
    await until('both', () =>
      around.router
        .list()
        .then((routes) => routes.length === 2 && routes.every(({ state }) => state === 'up')),
    )
    const states = around.router.tables.flatMap((table) => table.filter(({ app }) => app === 'hello'))
    expect(states.some(({ state }) => state === 'hold')).toBe(true)
    await expectConsistent(around, second)
    await second.stop()
  })

  it('starts again what was stopped under it, with the same environment', async () => {
    const around = await world()
    const first = await startPlugin(around)
    await first.apps.create('hello')
    await first.push('hello', tree())
    await settled(around)
    await first.stop()
    around.router.forgetAll()
    const [before] = await around.scheduler.list()
    await around.scheduler.end(before?.id as string, 137)
    const second = await startPlugin(around)
    await expectConsistent(around, second)
    expect((await around.scheduler.list())[0]?.id).toBe(before?.id)
    await second.stop()
  })

  it('leaves alone what others run from an image of an app', async () => {
    const around = await world()
    const first = await startPlugin(around)
    await first.apps.create('hello')
    await first.push('hello', tree())
    const { artifact } = await first.releases.inspect('hello', 'v1')
    const foreign = {
      app: 'hello',
      releaseId: '',
      processType: '',
      index: 1,
      name: 'mine',
      artifact,
      env: {},
    }
    await around.scheduler.start(foreign)
    await first.stop()
    const second = await startPlugin(around)
    await second.apps.destroy('hello')
    expect(await namesOf(around)).toEqual(['mine'])
    await second.stop()
  })

  it('keeps one-off processes of its releases', async () => {
    const around = await world()
    const first = await startPlugin(around)
    await first.apps.create('hello')
    await first.push('hello', tree())
    await first.processes.run('hello', { command: ['sh'], stdin: true })
    await first.stop()
    const second = await startPlugin(around)
    await until('the sweep', async () => (await around.scheduler.list({ oneOff: false })).length === 1)
    expect(await around.scheduler.list({ oneOff: true })).toHaveLength(1)
    await second.stop()
  })
})

it('a renaming that was cut off before all had moved is finished', async () => {
  const around = await world()
  const first = await startPlugin(around)
  await first.apps.create('hello')
  await first.push('hello', tree())
  first.on(postAppRename, () => {
    throw new Error('killed')
  })
  await expect(first.apps.rename('hello', 'hi')).rejects.toThrow('killed')
  await first.stop()
  const renamedFrom = () => {
    const store = openStore(join(around.dataDir, 'db'))
    const record = store.findApp('hi')
    store.close()
    return record?.renamedFrom
  }
  expect(renamedFrom()).toBe('hello')
  const second = await startPlugin(around)
  expect(await second.apps.list()).toMatchObject([{ name: 'hi', state: 'running' }])
  await second.stop()
  expect(renamedFrom()).toBeUndefined()
})

it('a stop of the daemon ends a running deploy, takes it back and leaves the app running', async () => {
  const around = await world()
  const plugin = await startPlugin(around)
  await plugin.apps.create('hello')
  await plugin.push('hello', tree())
  const push = plugin
    .push('hello', tree({ build: 'hang' }))
    .catch((error) => String((error as Error).message))
  await until('the build', async () => (await plugin.deploys.list('hello'))[0]?.status === 'running')
  await plugin.stop()
  expect(await push).toContain('The daemon is stopping')
  expect(around.scheduler.running('hello')).toEqual(['web.1@v1'])
  expect(await readdir(join(around.dataDir, 'tmp'))).toEqual([])
})
