import { diskLedger } from '@kernel/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newWorld, type Running, startPlugin, tree, until, type World } from '../testing/harness.ts'

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

describe('releases', () => {
  it('roll back to artifact, config, Procfile and scale, without a build', async () => {
    await plugin.config.update('hello', { set: { A: 'one' } })
    await plugin.push('hello', tree({ content: '1' }, { Procfile: 'web: old\nworker: w\n' }))
    await plugin.processes.scale('hello', { web: 2 })
    await plugin.config.update('hello', { set: { A: 'two' } })
    await plugin.push('hello', tree({ content: '2' }, { Procfile: 'web: new\n' }))
    await plugin.processes.scale('hello', { web: 1 })
    const builds = world.scheduler.builds.length
    const release = await plugin.releases.rollback('hello', 'v1')
    expect(release).toMatchObject({
      id: 'v4',
      source: 'rollback',
      description: 'Roll back to v1',
      current: true,
      scale: { web: 2, worker: 0 },
      procfile: { web: 'old' },
    })
    await retired('web.1@v4', 'web.2@v4')
    expect(world.scheduler.builds).toHaveLength(builds)
    expect(await plugin.config.all('hello')).toEqual({ A: 'one' })
    expect((await plugin.apps.report('hello')).scale).toEqual({ web: 2, worker: 0 })
    expect((await plugin.releases.rollback('hello')).description).toBe('Roll back to v3')
    await expect(plugin.releases.rollback('hello', 'v99')).rejects.toMatchObject({ kind: 'not-found' })
    await expect(plugin.releases.rollback('hello', 'v5')).rejects.toMatchObject({ kind: 'conflict' })
  })

  it('keep as many as they should, and say which are gone', async () => {
    await plugin.stop()
    plugin = await startPlugin(world, { config: { keepReleases: 2 } })
    for (let at = 1; at <= 5; at++) await plugin.push('hello', tree({ content: String(at) }))
    await until('the old', () => world.scheduler.artifacts.size === 3)
    const releases = await plugin.releases.list('hello')
    expect(releases.map(({ id, pruned = false }) => `${id} ${pruned}`)).toEqual([
      'v5 false',
      'v4 false',
      'v3 false',
      'v2 true',
      'v1 true',
    ])
    await expect(plugin.releases.rollback('hello', 'v1')).rejects.toThrow('no longer kept')
    // The current release is kept, however old it is.
    await plugin.releases.rollback('hello', 'v3')
    expect(running().at(-1)).toBe('web.1@v6')
  })

  it('pin their artifacts in the disk ledger', async () => {
    await plugin.push('hello', tree())
    const { artifact } = await plugin.releases.inspect('hello', 'v1')
    const image = { kind: 'image', id: artifact, bytes: 5, pinnedBy: ['image x'] }
    expect(await plugin.call(diskLedger, [image])).toEqual([
      { ...image, pinnedBy: ['image x', 'release hello v1'] },
    ])
    expect(await plugin.call(diskLedger, [])).toEqual([
      { kind: 'artifact', id: artifact, bytes: 1000, pinnedBy: ['release hello v1'] },
    ])
  })
})
