import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newWorld, type Running, snapshot, startPlugin, tree, until, type World } from '../testing/harness.ts'

let world: World
let plugin: Running
beforeEach(async () => {
  world = await newWorld()
  plugin = await startPlugin(world)
  await plugin.apps.create('hello')
  await plugin.apps.set('hello', 'keep-frozen', '1')
})
afterEach(async () => {
  await plugin.stop()
  await world.close()
})

/** `web.1@v2 running`, sorted. */
const there = () =>
  [...world.scheduler.processes.values()]
    .map(({ workload: w }) => `${w.processType}.${w.index}@${w.releaseId} ${w.status}`)
    .sort()
const settled = (...expected: string[]) =>
  until(expected.join(), () => there().join() === expected.join()).catch((error) => {
    throw new Error(`${(error as Error).message}, but ${there().join()}`)
  })
const push = (content: string) => plugin.push('hello', tree({ content }))
const frozenIn = async () => (await plugin.apps.report('hello')).frozen
const starts = () => world.scheduler.specs.length

describe('a release in the freezer', () => {
  it('is the one before the current, and comes back without a start', async () => {
    await plugin.config.update('hello', { set: { A: 'one' } })
    await push('1')
    await plugin.processes.scale('hello', { web: 2, worker: 1 })
    const first = (await plugin.processes.report('hello')).processes.map(({ workloadId }) => workloadId)
    await plugin.config.update('hello', { set: { A: 'two' } })
    await plugin.processes.scale('hello', { web: 1 })
    await settled(
      ...['web.1@v1 frozen', 'web.1@v2 running', 'web.2@v1 frozen', 'worker.1@v1 frozen'],
      'worker.1@v2 running',
    )
    expect((await plugin.releases.list('hello')).map(({ id, frozen }) => [id, frozen])).toEqual([
      ['v2', undefined],
      ['v1', true],
    ])
    const before = starts()
    const release = await plugin.releases.rollback('hello', '1', { frozen: true })
    expect(release).toMatchObject({ id: 'v3', description: 'Roll back to v1', scale: { web: 2, worker: 1 } })
    expect(starts()).toBe(before)
    expect(await plugin.config.all('hello')).toEqual({ A: 'one' })
    const { processes, state } = await plugin.processes.report('hello')
    expect([state, processes.map(({ workloadId }) => workloadId)]).toEqual(['running', first])
    expect(processes.map(({ release }) => release)).toEqual(['v3', 'v3', 'v3'])
    const targets = (await world.router.list()).flatMap((route) => route.targets.map(({ id }) => id))
    expect(targets.sort()).toEqual(first.slice(0, 2).sort())
    await settled(
      ...['web.1@v1 running', 'web.1@v2 frozen', 'web.2@v1 running', 'worker.1@v1 running'],
      'worker.1@v2 frozen',
    )
    await until('the names', async () =>
      (await world.scheduler.list()).every(
        ({ name, status, processType, index }) =>
          status === 'frozen' || name === `hello.${processType}.${index}`,
      ),
    )
    // And forth again: v2 is the release before.
    expect(await plugin.releases.rollback('hello', undefined, { frozen: true })).toMatchObject({
      description: 'Roll back to v2',
    })
    expect(starts()).toBe(before)
    // v1 stands there as v3 now, and is v1 all the same.
    expect(await plugin.releases.rollback('hello', 'v1', { frozen: true })).toMatchObject({ id: 'v5' })
    expect(starts()).toBe(before)
  })

  it('gives way to a newer one, and to a smaller number', async () => {
    for (const content of ['1', '2', '3']) await push(content)
    await settled('web.1@v2 frozen', 'web.1@v3 running')
    await plugin.apps.set('hello', 'keep-frozen', '2')
    await push('4')
    await settled('web.1@v2 frozen', 'web.1@v3 frozen', 'web.1@v4 running')
    expect(await frozenIn()).toEqual(['v3', 'v2'])
    await plugin.apps.set('hello', 'keep-frozen', '1')
    expect(there()).toEqual(['web.1@v3 frozen', 'web.1@v4 running'])
    await plugin.apps.set('hello', 'keep-frozen', '')
    expect(there()).toEqual(['web.1@v4 running'])
    expect(await plugin.apps.report('hello')).toMatchObject({ keepFrozen: 0, frozen: [] })
    for (const value of ['-1', '6', 'many', '1.5'])
      await expect(plugin.apps.set('hello', 'keep-frozen', value)).rejects.toMatchObject({ kind: 'invalid' })
    await push('5')
    await settled('web.1@v5 running')
  })

  it('stands still only when its requests have ended; until then it comes back as it is', async () => {
    await push('1')
    const gate = Promise.withResolvers<void>()
    world.router.drainGate = gate.promise
    await push('2')
    expect(there()).toEqual(['web.1@v1 running', 'web.1@v2 running'])
    const before = starts()
    await plugin.releases.rollback('hello')
    expect(starts()).toBe(before)
    gate.resolve()
    await settled('web.1@v1 running', 'web.1@v2 frozen')
    expect(world.scheduler.journal).not.toContain('freeze web.1@v1')
  })

  it('is not kept where visitors stay connected to it', async () => {
    await push('1')
    world.router.openAfterDrain = 1
    await push('2')
    await settled('web.1@v2 running')
    expect(await frozenIn()).toEqual([])
  })

  it('is not kept where not all of it runs', async () => {
    await push('1')
    await plugin.processes.scale('hello', { web: 2 })
    const [web] = await world.scheduler.list()
    await world.scheduler.end(web?.id as string, 1)
    await push('2')
    await settled('web.1@v2 running', 'web.2@v2 running')
    expect(await frozenIn()).toEqual([])
  })

  it('goes with a stop, a new name and the end of its app', async () => {
    for (const content of ['1', '2']) await push(content)
    await settled('web.1@v1 frozen', 'web.1@v2 running')
    await plugin.apps.rename('hello', 'world')
    await settled('web.1@v2 running')
    await plugin.push('world', tree({ content: '3' }))
    await settled('web.1@v2 frozen', 'web.1@v3 running')
    await plugin.processes.stop('world')
    expect(there()).toEqual([])
    await plugin.processes.start('world')
    await plugin.push('world', tree({ content: '4' }))
    await settled('web.1@v3 frozen', 'web.1@v4 running')
    await plugin.apps.destroy('world')
    expect(there()).toEqual([])
  })

  it('keeps its artifact beside the releases that are kept', async () => {
    await plugin.stop()
    plugin = await startPlugin(world, { config: { keepReleases: 1 } })
    for (const content of ['1', '2']) await push(content)
    await settled('web.1@v1 frozen', 'web.1@v2 running')
    await until('the artifacts', () => world.scheduler.artifacts.size === 2)
  })

  it('that died is told of, and the release is started anew', async () => {
    for (const content of ['1', '2']) await push(content)
    await settled('web.1@v1 frozen', 'web.1@v2 running')
    const frozen = (await world.scheduler.list()).find(({ status }) => status === 'frozen')
    await world.scheduler.end(frozen?.id as string, 137, 'restarting')
    await settled('web.1@v2 running')
    await expect(plugin.releases.rollback('hello', 'v1', { frozen: true })).rejects.toMatchObject({
      kind: 'conflict',
      message: 'hello v1 is not in the freezer',
    })
    await plugin.releases.rollback('hello', 'v1')
    await settled('web.1@v2 frozen', 'web.1@v3 running')
  })

  it.each([
    ['does not thaw', () => world.scheduler.failNext.set('thaw', new Error('stuck'))],
    ['does not answer', () => world.scheduler.processes.forEach(({ server }) => void server?.close())],
  ])('that %s makes way for a new start, or fails where that is not wanted', async (_, breakIt) => {
    for (const content of ['1', '2']) await push(content)
    await settled('web.1@v1 frozen', 'web.1@v2 running')
    breakIt()
    const lines: string[] = []
    await plugin.releases.rollback('hello', 'v1', {}, ({ text }) => void lines.push(text))
    expect(lines.join('\n')).toMatch(/v1 could not be brought back from the freezer: .*; it is started anew/)
    await settled('web.1@v2 frozen', 'web.1@v3 running')
    breakIt()
    await expect(plugin.releases.rollback('hello', 'v2', { frozen: true })).rejects.toMatchObject({
      message: expect.stringMatching(/^v2 could not be brought back from the freezer/),
    })
    // Nothing was done: it may be tried again.
    await settled('web.1@v2 frozen', 'web.1@v3 running')
    expect((await plugin.apps.report('hello')).release).toBe('v3')
  })

  it('stays there, and all as it was, where the switch fails', async () => {
    for (const content of ['1', '2']) await push(content)
    await settled('web.1@v1 frozen', 'web.1@v2 running')
    const before = await snapshot(world, plugin, 'hello')
    world.router.failNextPublish = new Error('edge is gone')
    await expect(plugin.releases.rollback('hello', 'v1')).rejects.toThrow('edge is gone')
    expect(await snapshot(world, plugin, 'hello')).toEqual(before)
    await plugin.releases.rollback('hello', 'v1', { frozen: true })
    await settled('web.1@v1 running', 'web.1@v2 frozen')
  })

  it('is left alone where that is asked for, or where the global config is another by now', async () => {
    for (const content of ['1', '2']) await push(content)
    await settled('web.1@v1 frozen', 'web.1@v2 running')
    await plugin.releases.rollback('hello', 'v1', { frozen: false })
    await settled('web.1@v2 frozen', 'web.1@v3 running')
    await plugin.config.update('global', { set: { LEVEL: 'info' }, restart: false })
    const before = starts()
    const lines: string[] = []
    await plugin.releases.rollback('hello', 'v2', { frozen: true }, ({ text }) => void lines.push(text))
    expect([starts(), lines.join('\n')]).toEqual([
      before,
      expect.stringContaining('The global config has changed since; to take it in: ps:restart hello'),
    ])
    await settled('web.1@v2 running', 'web.1@v3 frozen')
    await plugin.releases.rollback('hello', 'v3')
    await settled('web.1@v2 frozen', 'web.1@v5 running')
    expect(world.scheduler.specs.at(-1)?.env.LEVEL).toBe('info')
  })

  it('outlives the daemon; what has changed meanwhile is forgotten', async () => {
    for (const content of ['1', '2']) await push(content)
    await settled('web.1@v1 frozen', 'web.1@v2 running')
    const frozen = (await world.scheduler.list()).find(({ status }) => status === 'frozen')?.id as string
    await plugin.stop()
    // A kill came between the record and the freezer.
    await world.scheduler.thaw(frozen)
    plugin = await startPlugin(world)
    await settled('web.1@v1 frozen', 'web.1@v2 running')
    expect(await frozenIn()).toEqual(['v1'])
    await plugin.stop()
    await world.scheduler.end(frozen, 137, 'restarting')
    await world.scheduler.comeBack(frozen)
    plugin = await startPlugin(world)
    await settled('web.1@v2 running')
    expect(await frozenIn()).toEqual([])
  })
})
