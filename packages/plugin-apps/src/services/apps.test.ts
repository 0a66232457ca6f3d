import { preAppRename } from '@kernel/contracts'
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

describe('apps', () => {
  it('are created once, with a name that can be one', async () => {
    await expect(plugin.apps.create('hello')).rejects.toMatchObject({ kind: 'conflict' })
    await expect(plugin.apps.create('Hello')).rejects.toMatchObject({ kind: 'invalid' })
    await expect(plugin.apps.report('other')).rejects.toMatchObject({ kind: 'not-found' })
    expect(await plugin.apps.list()).toMatchObject([
      { name: 'hello', state: 'created', urls: [], locked: false },
    ])
  })

  it('refuse properties and branches that are none', async () => {
    await expect(plugin.apps.set('hello', 'colour', 'red')).rejects.toMatchObject({ kind: 'invalid' })
    await expect(plugin.apps.set('hello', 'deploy-branch', 'a..b')).rejects.toMatchObject({ kind: 'invalid' })
    await plugin.apps.set('hello', 'deploy-branch', 'refs/heads/live')
    expect((await plugin.apps.report('hello')).deployBranch).toBe('live')
    await plugin.apps.set('hello', 'deploy-branch', '')
    expect((await plugin.apps.report('hello')).deployBranch).toBe('main or master')
  })

  it('are destroyed with all they have, and tell it', async () => {
    const deleted: string[] = []
    plugin.on(
      { name: 'post-delete', kind: 'series' } as never,
      ((event: { app: string }) => void deleted.push(event.app)) as never,
    )
    await plugin.push('hello', tree())
    await plugin.processes.run('hello', { command: ['sh'], stdin: true })
    await plugin.apps.destroy('hello')
    expect(deleted).toEqual(['hello'])
    expect(await world.scheduler.list()).toEqual([])
    expect(world.scheduler.artifacts.size).toBe(0)
    expect(await world.router.list()).toEqual([])
    expect(await plugin.apps.list()).toEqual([])
    await expect(plugin.apps.destroy('hello')).rejects.toMatchObject({ kind: 'not-found' })
    await plugin.apps.create('hello')
    expect(await plugin.releases.list('hello')).toEqual([])
    expect(await plugin.deploys.list('hello')).toEqual([])
  })

  it('end the deploy that runs when they are destroyed', async () => {
    const push = plugin.push('hello', tree({ build: 'hang' })).catch((error) => String(error.message))
    await until('the build', async () => (await plugin.apps.list())[0]?.state === 'deploying')
    await plugin.apps.destroy('hello')
    expect(await push).toContain('is being destroyed')
    expect(world.scheduler.artifacts.size).toBe(0)
  })

  it('can be destroyed again where that failed half way', async () => {
    await plugin.push('hello', tree())
    world.scheduler.failNext.set('remove', new Error('busy'))
    await expect(plugin.apps.destroy('hello')).rejects.toThrow('busy')
    await expect(plugin.push('hello', tree())).rejects.toThrow('is being destroyed')
    await plugin.apps.destroy('hello')
    expect(await world.scheduler.list()).toEqual([])
  })

  it('move to another name with everything', async () => {
    await plugin.config.update('hello', { set: { A: '1' } })
    await plugin.push('hello', tree())
    await plugin.domains.add('hello', ['shop.example'])
    await plugin.apps.rename('hello', 'shop')
    await until('the old', () => world.scheduler.running('hello').length === 0)
    expect(world.scheduler.running('shop')).toEqual(['web.1@v1'])
    expect(world.scheduler.specs.at(-1)?.env.KERNEL_APP).toBe('shop')
    expect((await world.router.list()).map(({ app, host }) => `${app} ${host}`)).toEqual([
      'shop hello.localhost',
      'shop shop.example',
    ])
    expect(await plugin.config.all('shop')).toEqual({ A: '1' })
    expect(await plugin.releases.list('shop')).toHaveLength(1)
    expect(await plugin.deploys.list('shop')).toHaveLength(1)
    await expect(plugin.apps.report('hello')).rejects.toMatchObject({ kind: 'not-found' })
    expect((await plugin.push('shop', tree({ content: '2' }))).release).toBe('v2')
  })

  it('tell of a new name before anybody can visit it, and stay where somebody objects', async () => {
    await plugin.push('hello', tree())
    const seen: string[] = []
    plugin.on(preAppRename, async ({ oldApp, app }) => {
      if (app === 'never') throw new Error('not that name')
      seen.push(`${oldApp} to ${app}: ${(await world.router.list()).map((route) => route.app)}`)
    })
    await expect(plugin.apps.rename('hello', 'never')).rejects.toThrow('not that name')
    expect((await plugin.apps.report('hello')).state).toBe('running')
    await until('one is left', () => world.scheduler.running('hello').length === 1)
    expect(world.scheduler.running('never')).toEqual([])
    await plugin.apps.rename('hello', 'shop')
    expect(seen).toEqual(['hello to shop: hello'])
  })

  it('stay what they are where the new name is taken, or nothing comes up under it', async () => {
    await plugin.push('hello', tree())
    await plugin.apps.create('shop')
    await until('names', async () => (await world.scheduler.list())[0]?.name === 'hello.web.1')
    const before = await snapshot(world, plugin, 'hello')
    await expect(plugin.apps.rename('hello', 'shop')).rejects.toMatchObject({ kind: 'conflict' })
    world.scheduler.failNext.set('start', new Error('no room'))
    await expect(plugin.apps.rename('hello', 'other')).rejects.toThrow('no room')
    world.router.failNextPublish = new Error('no edge')
    await expect(plugin.apps.rename('hello', 'other')).rejects.toThrow('no edge')
    expect(await snapshot(world, plugin, 'hello')).toEqual(before)
  })
})
