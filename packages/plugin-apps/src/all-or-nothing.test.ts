import { afterEach, describe, expect, it, vi } from 'vitest'
import { Fault } from './testing/fault.ts'
import { newWorld, type Running, snapshot, startPlugin, tree, until, type World } from './testing/harness.ts'

/** The collection that can't be written for now, as on a full disk. */
const full = vi.hoisted(() => ({ table: undefined as string | undefined }))
vi.mock('@kernel/state', async (original) => {
  const state = await original<typeof import('@kernel/state')>()
  return {
    ...state,
    collection: ((db, name, ...rest) => {
      const real = state.collection(db, name, ...rest)
      return {
        ...real,
        put(key: string, value: never) {
          if (full.table === name) throw new Error('no space left')
          return real.put(key, value)
        },
      }
    }) as typeof state.collection,
  }
})

const worlds: World[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close()
})

interface Operation {
  run(plugin: Running): Promise<unknown>
  /** What holds where it was acknowledged. */
  effect(plugin: Running): Promise<boolean>
}

const current = async (plugin: Running) => (await plugin.apps.report('hello')).release
const operations: Record<string, Operation> = {
  'a push': {
    run: (plugin) => plugin.push('hello', tree({ content: '3' })),
    effect: async (plugin) => (await current(plugin)) === 'v3',
  },
  'a rollback': {
    run: (plugin) => plugin.releases.rollback('hello', 'v1', { frozen: false }),
    effect: async (plugin) => (await current(plugin)) === 'v3',
  },
  'a rollback from the freezer': {
    run: (plugin) => plugin.releases.rollback('hello', 'v1', { frozen: true }),
    effect: async (plugin) => (await current(plugin)) === 'v3',
  },
  'config:set': {
    run: (plugin) => plugin.config.update('hello', { set: { A: '1' } }),
    effect: async (plugin) => (await plugin.config.all('hello')).A === '1',
  },
  'ps:scale': {
    run: (plugin) => plugin.processes.scale('hello', { web: 2, worker: 0 }),
    effect: async (plugin) => (await plugin.apps.report('hello')).scale.web === 2,
  },
  'ps:restart': {
    run: (plugin) => plugin.processes.restart('hello'),
    effect: async (plugin) => (await plugin.apps.report('hello')).state === 'running',
  },
  'domains:add': {
    run: (plugin) => plugin.domains.add('hello', ['hello.example.com']),
    effect: async (plugin) => (await plugin.domains.list('hello')).domains.includes('hello.example.com'),
  },
}

async function prepare(fault?: Fault) {
  const world = await newWorld()
  worlds.push(world)
  const plugin = await startPlugin(world, fault && { wrap: fault.wrap })
  await plugin.apps.create('hello')
  await plugin.apps.set('hello', 'keep-frozen', '1')
  await plugin.push('hello', tree({ content: '1' }))
  await plugin.push('hello', tree({ content: '2' }))
  await plugin.processes.scale('hello', { worker: 1 })
  await settled(world)
  return { world, plugin }
}

const settled = (world: World) =>
  until('the names', async () =>
    (await world.scheduler.list()).every(
      ({ name, status }) => status === 'frozen' || /^\w+\.\w+\.\d$/.test(name),
    ),
  )

/** Every running process is one that the app has, and every target of its routes is one of them. */
async function expectWhole(world: World, plugin: Running): Promise<void> {
  await until('a whole app', async () => {
    const { processes } = await plugin.processes.report('hello')
    const live = processes.map(({ workloadId }) => workloadId).sort()
    const workloads = await world.scheduler.list()
    const serving = workloads.filter(({ status }) => status !== 'frozen').map(({ id }) => id)
    const web = processes.filter(({ type }) => type === 'web').map(({ workloadId }) => workloadId)
    const { domains } = await plugin.domains.list('hello')
    const routes = await world.router.list()
    return (
      serving.sort().join() === live.join() &&
      routes
        .map(({ host }) => host)
        .sort()
        .join() === [...domains].sort().join() &&
      routes.every(
        ({ targets }) =>
          targets
            .map(({ id }) => id)
            .sort()
            .join() === web.sort().join(),
      )
    )
  })
}

describe('whatever call to the world fails, all is as before or all is done:', () => {
  it.each(Object.entries(operations))('%s', { timeout: 120_000 }, async (_, { run, effect }) => {
    const struck: string[] = []
    let refused = 0
    for (let at = 0; ; at++) {
      const fault = new Fault(at)
      const { world, plugin } = await prepare(fault)
      const before = await snapshot(world, plugin, 'hello')
      fault.arm()
      const outcome = await run(plugin).then(
        () => undefined,
        (error: unknown) => error,
      )
      // A fault of what goes on behind a switch strikes a moment later.
      if (outcome === undefined && fault.struck === undefined) await settled(world).catch(() => {})
      fault.disarm()
      const where = `${fault.struck}, call ${at}`
      if (outcome !== undefined) {
        refused += 1
        await until(`as before, at ${where}`, async () => {
          const now = await snapshot(world, plugin, 'hello')
          return JSON.stringify(now) === JSON.stringify(before)
        }).catch(async () => expect(await snapshot(world, plugin, 'hello'), where).toEqual(before))
      } else {
        expect(await effect(plugin), where).toBe(true)
        await expectWhole(world, plugin).catch((error) => {
          throw new Error(`${(error as Error).message}, at ${where}`)
        })
      }
      await plugin.stop()
      if (fault.struck === undefined) break
      struck.push(fault.struck)
    }
    expect(struck.length).toBeGreaterThan(2)
    expect(refused).toBeGreaterThan(0)
  })
})

describe('records that can not be written leave all as it was:', () => {
  it.each(Object.entries(operations))('%s', async (name, { run }) => {
    const { world, plugin } = await prepare()
    const before = await snapshot(world, plugin, 'hello')
    // What a switch writes first: of a release its own record, of the others the app's.
    const table = name === 'ps:restart' || name === 'domains:add' ? 'apps' : 'releases'
    const tables = world.router.tables.length
    full.table = table
    await expect(run(plugin)).rejects.toThrow('no space left')
    full.table = undefined
    // The routes were switched, and switched back.
    if (name !== 'domains:add') expect(world.router.tables.length).toBeGreaterThan(tables)
    expect(await snapshot(world, plugin, 'hello')).toEqual(before)
    await run(plugin)
    await plugin.stop()
  })
})

const hooks: Record<string, string[]> = {
  'a push': [],
  'a rollback': ['pre-deploy', 'docker-args-deploy', 'post-container-create', 'check-deploy'],
  'a rollback from the freezer': ['pre-deploy', 'check-deploy'],
  'config:set': ['pre-deploy', 'docker-args-deploy', 'post-container-create', 'check-deploy'],
  'ps:scale': ['docker-args-deploy', 'post-container-create', 'check-deploy'],
  'ps:restart': ['docker-args-deploy', 'post-container-create', 'check-deploy'],
  'domains:add': [],
}
for (const list of Object.values(hooks))
  if (list.length > 0) list.push('scheduler-post-deploy-process', 'core-post-deploy')
// Those of a push are in pipeline.test.ts.
const refusals = Object.entries(hooks).flatMap(([name, list]) => list.map((hook) => [name, hook] as const))
const afterwards = [
  ['config:set', 'post-config-update'],
  ['config:set', 'post-deploy'],
  ['a rollback', 'post-deploy'],
  ['ps:scale', 'post-scale-update'],
  ['ps:restart', 'scheduler-register-retired'],
  ['domains:add', 'post-domains-update'],
] as const

const failIn = (plugin: Running, hook: string) => {
  let calls = 0
  const kind = hook === 'docker-args-deploy' ? 'waterfall' : 'series'
  plugin.on({ name: hook, kind } as never, () => {
    calls += 1
    throw new Error(`${hook} says no`)
  })
  return () => calls
}

describe('a hook that refuses leaves all as it was:', () => {
  it.each(refusals)('%s, %s', async (name, hook) => {
    const { world, plugin } = await prepare()
    const before = await snapshot(world, plugin, 'hello')
    const calls = failIn(plugin, hook)
    await expect(operations[name]!.run(plugin)).rejects.toThrow()
    expect(calls()).toBeGreaterThan(0)
    expect(await snapshot(world, plugin, 'hello')).toEqual(before)
    await plugin.stop()
  })
})

describe('a hook that fails when all is done takes nothing back:', () => {
  it.each(afterwards)('%s, %s', async (name, hook) => {
    const { world, plugin } = await prepare()
    const calls = failIn(plugin, hook)
    const { run, effect } = operations[name]!
    await run(plugin)
    expect(await effect(plugin)).toBe(true)
    await expectWhole(world, plugin)
    await until('the hook', () => calls() > 0)
    await plugin.stop()
  })
})
