import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newWorld, type Running, snapshot, startPlugin, tree, until, type World } from '../testing/harness.ts'

let world: World
let plugin: Running
beforeEach(async () => {
  world = await newWorld()
  plugin = await startPlugin(world)
  await plugin.apps.create('hello')
})
afterEach(async () => {
  await plugin.stop()
  await world.close()
})

const running = () => world.scheduler.running('hello')
const retired = (...expected: string[]) => until(expected.join(), () => running().join() === expected.join())

describe('config', () => {
  it('restarts once a change, and not without one', async () => {
    await plugin.push('hello', tree())
    await plugin.config.update('hello', { set: { A: '1', B: '2' } })
    await retired('web.1@v2')
    expect(await plugin.config.update('hello', { set: { A: '1' } })).toEqual({ A: '1', B: '2' })
    await plugin.config.update('hello', { set: { C: '3' }, unset: ['A'] })
    await retired('web.1@v3')
    const [latest] = await plugin.releases.list('hello')
    expect(latest).toMatchObject({ id: 'v3', source: 'config', description: 'Set C; Unset A' })
    expect(world.scheduler.specs.at(-1)?.env).toMatchObject({ B: '2', C: '3' })
    expect(world.scheduler.specs.at(-1)?.env.A).toBeUndefined()
    expect(world.scheduler.builds).toHaveLength(1)
  })

  it('waits for a restart where told to', async () => {
    await plugin.push('hello', tree())
    await plugin.config.update('hello', { set: { A: '1' }, restart: false })
    expect((await plugin.releases.list('hello'))[0]?.id).toBe('v1')
    await plugin.processes.restart('hello')
    await retired('web.1@v2')
    expect(world.scheduler.specs.at(-1)?.env.A).toBe('1')
  })

  it('stays as it was where the app does not come up with it', async () => {
    await plugin.push('hello', tree())
    await until('names', async () => (await world.scheduler.list())[0]?.name === 'hello.web.1')
    const before = await snapshot(world, plugin, 'hello')
    world.scheduler.failNext.set('start', new Error('no room'))
    await expect(plugin.config.update('hello', { set: { A: '1' } })).rejects.toThrow('no room')
    expect(await snapshot(world, plugin, 'hello')).toEqual(before)
    await expect(plugin.config.update('hello', { set: { PORT: 'x' } })).rejects.toThrow(/is no port/)
    expect(await snapshot(world, plugin, 'hello')).toEqual(before)
  })

  it('changes that come while a deploy runs are in neither lost nor mixed in', async () => {
    await plugin.push('hello', tree())
    const gate = Promise.withResolvers<void>()
    world.scheduler.buildGate = gate.promise
    const push = plugin.push('hello', tree({ content: '2' }))
    await until('the build', () => world.scheduler.builds.length === 2)
    await plugin.config.update('hello', { set: { A: '1' }, restart: false })
    await plugin.domains.add('hello', ['late.example'])
    gate.resolve()
    await push
    expect(await plugin.config.all('hello')).toEqual({ A: '1' })
    expect(world.scheduler.specs.at(-1)?.env.A).toBeUndefined()
    expect((await world.router.list()).map(({ host }) => host)).toEqual(['hello.localhost', 'late.example'])
    await plugin.processes.restart('hello')
    expect(world.scheduler.specs.at(-1)?.env.A).toBe('1')
  })

  it('global: below every app, and only apps that it changes are restarted', async () => {
    await plugin.apps.create('other')
    await plugin.config.update('other', { set: { LEVEL: 'own' } })
    await plugin.push('hello', tree({ content: 'a' }))
    await plugin.push('other', tree({ content: 'b' }))
    await plugin.config.update('global', { set: { LEVEL: 'debug' } })
    expect((await plugin.releases.list('hello'))[0]).toMatchObject({
      id: 'v2',
      description: 'Global: Set LEVEL',
    })
    expect((await plugin.releases.list('other'))[0]?.id).toBe('v1')
    expect(await plugin.config.all('global')).toEqual({ LEVEL: 'debug' })
    expect(await plugin.config.all('hello')).toEqual({})
  })

  it('refuses names and values that no environment can hold, without showing the value', async () => {
    const changes: Array<Parameters<typeof plugin.config.update>[1]> = [
      { set: { 'A-B': 's3cret' } },
      { set: { A: 's3cret\0' } },
      { set: { A: 's3cret'.repeat(1e5) } },
      { unset: ['1'] },
      { set: { A: 's3cret' }, unset: ['A'] },
    ]
    for (const change of changes) {
      const error = await plugin.config.update('hello', change).catch((reason) => reason as Error)
      expect(error).toMatchObject({ kind: 'invalid' })
      expect((error as Error).message).not.toContain('s3cret')
    }
  })
})
