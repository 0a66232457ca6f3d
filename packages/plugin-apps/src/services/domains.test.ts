import { domainScheme } from '@kernel/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newWorld, type Running, startPlugin, tree, type World } from '../testing/harness.ts'

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

describe('domains', () => {
  it('are the name below the global ones, until there are own', async () => {
    await plugin.push('hello', tree())
    expect(await plugin.domains.list('hello')).toEqual({
      domains: ['hello.localhost'],
      urls: ['http://hello.localhost:8080'],
    })
    await plugin.domains.add('hello', ['Bücher.example', '*.hello.example'])
    expect((await world.router.list()).map(({ host }) => host)).toEqual([
      'hello.localhost',
      'xn--bcher-kva.example',
      '*.hello.example',
    ])
    expect((await plugin.domains.list('hello')).urls).toEqual([
      'http://hello.localhost:8080',
      'http://xn--bcher-kva.example:8080',
    ])
    await plugin.domains.remove('hello', ['hello.localhost'])
    await plugin.domains.set('hello', ['only.example'])
    expect((await world.router.list()).map(({ host }) => host)).toEqual(['only.example'])
    await plugin.domains.reset('hello')
    expect((await world.router.list()).map(({ host }) => host)).toEqual(['hello.localhost'])
    await expect(plugin.domains.remove('hello', ['x.example'])).rejects.toMatchObject({ kind: 'invalid' })
  })

  it('belong to one app', async () => {
    await plugin.domains.add('hello', ['other.localhost'])
    await expect(plugin.apps.create('other')).rejects.toThrow(
      'The domain other.localhost belongs to the app hello',
    )
    await plugin.domains.reset('hello')
    await plugin.apps.create('other')
    await expect(plugin.domains.set('hello', ['other.localhost'])).rejects.toMatchObject({ kind: 'conflict' })
    expect((await plugin.domains.list('hello')).domains).toEqual(['hello.localhost'])
  })

  it('stay as they were where the edge refuses them', async () => {
    await plugin.push('hello', tree())
    world.router.failNextPublish = new Error('no edge')
    await expect(plugin.domains.add('hello', ['a.example'])).rejects.toThrow('no edge')
    expect((await plugin.domains.list('hello')).domains).toEqual(['hello.localhost'])
    expect((await world.router.list()).map(({ host }) => host)).toEqual(['hello.localhost'])
  })

  it('global ones move all apps that have no own', async () => {
    await plugin.push('hello', tree())
    await plugin.domains.setGlobal(['apps.example', 'localhost'])
    expect((await world.router.list()).map(({ host }) => host)).toEqual([
      'hello.apps.example',
      'hello.localhost',
    ])
    await plugin.apps.create('other')
    await plugin.domains.set('other', ['hello.taken.example'])
    await expect(plugin.domains.setGlobal(['taken.example'])).rejects.toMatchObject({ kind: 'conflict' })
    expect(await plugin.domains.global()).toEqual(['apps.example', 'localhost'])
    await plugin.domains.setGlobal([])
    expect(await plugin.domains.global()).toEqual(['localhost'])
  })

  it('make URLs by the listeners: https where there is a certificate, usual ports left out', async () => {
    const http = { protocol: 'http', host: '0.0.0.0', port: 80 } as const
    const https = { protocol: 'https', host: '0.0.0.0', port: 443 } as const
    world.router.address = [http, https]
    await plugin.domains.set('hello', ['hello.example', 'safe.example', '*.safe.example'])
    const urls = async () => (await plugin.domains.list('hello')).urls
    expect(await urls()).toEqual(['http://hello.example', 'http://safe.example'])
    plugin.on(domainScheme, ({ app, domain }) =>
      app === 'hello' && domain === 'safe.example' ? 'https' : undefined,
    )
    expect(await urls()).toEqual(['http://hello.example', 'https://safe.example'])
    world.router.address = [{ ...https, port: 8443 }]
    expect(await urls()).toEqual(['https://hello.example:8443', 'https://safe.example:8443'])
    world.router.address = []
    expect((await plugin.domains.list('hello')).urls).toEqual([])
  })
})
