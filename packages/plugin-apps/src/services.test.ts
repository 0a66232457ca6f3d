import { appendFile } from 'node:fs/promises'
import { diskLedger } from '@kernel/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  newWorld,
  type Running,
  snapshot,
  startPlugin,
  textOf,
  tree,
  until,
  type World,
} from './testing/harness.ts'

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
const collect = () => {
  const lines: Array<{ kind: 'section' | 'step' | 'detail' | 'error'; text: string }> = []
  return { lines, onLine: (line: (typeof lines)[number]) => void lines.push(line) }
}

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

  it('make URLs by the listeners: https first, usual ports left out', async () => {
    world.router.address = [
      { protocol: 'http', host: '0.0.0.0', port: 80 },
      { protocol: 'https', host: '0.0.0.0', port: 443 },
    ]
    expect((await plugin.domains.list('hello')).urls).toEqual(['https://hello.localhost'])
    world.router.address = []
    expect((await plugin.domains.list('hello')).urls).toEqual([])
  })
})

describe('processes', () => {
  it('scale by the difference, checked before they are routed', async () => {
    await plugin.push('hello', tree())
    const [first] = await world.scheduler.list()
    expect(await plugin.processes.scale('hello', { web: 3, worker: 1 })).toEqual({ web: 3, worker: 1 })
    expect(running()).toEqual(['web.1@v1', 'web.2@v1', 'web.3@v1', 'worker.1@v1'])
    expect((await world.router.list())[0]?.targets).toHaveLength(3)
    await plugin.processes.scale('hello', { web: 1 })
    await retired('web.1@v1', 'worker.1@v1')
    expect((await world.scheduler.list()).some(({ id }) => id === first?.id)).toBe(true)
    await plugin.processes.scale('hello', { web: 0 })
    expect((await world.router.list())[0]).toMatchObject({ state: 'down', targets: [] })
    await expect(plugin.processes.scale('hello', { nope: 1 })).rejects.toMatchObject({ kind: 'invalid' })
    await expect(plugin.processes.scale('hello', { web: 1.5 })).rejects.toMatchObject({ kind: 'invalid' })
    expect((await plugin.apps.report('hello')).scale).toEqual({ web: 0, worker: 1 })
  })

  it('keep their scale where one of the new does not come up', async () => {
    await plugin.push('hello', tree({ worker: 'exit' }))
    await until('names', async () => (await world.scheduler.list())[0]?.name === 'hello.web.1')
    const before = await snapshot(world, plugin, 'hello')
    await expect(plugin.processes.scale('hello', { web: 2, worker: 1 })).rejects.toThrow('worker.1 exited')
    expect(await snapshot(world, plugin, 'hello')).toEqual(before)
  })

  it('restart beside the old, which drain first', async () => {
    await plugin.push('hello', tree())
    const [old] = await world.scheduler.list()
    const gate = Promise.withResolvers<void>()
    world.router.drainGate = gate.promise
    await plugin.processes.restart('hello')
    expect(running()).toEqual(['web.1@v1', 'web.1@v1'])
    expect((await world.router.list())[0]?.targets.map(({ id }) => id)).not.toContain(old?.id)
    await until(
      'names',
      async () =>
        (await world.scheduler.list())
          .map(({ name }) => name)
          .sort()
          .join() === `hello.web.1,hello.web.1.${old?.id.slice(0, 12)}`,
    )
    // Again, while the first are still draining.
    await plugin.processes.restart('hello')
    expect(running()).toHaveLength(3)
    gate.resolve()
    await retired('web.1@v1')
    await until('the name', async () => (await world.scheduler.list())[0]?.name === 'hello.web.1')
    expect(world.router.drained[0]).toEqual([old?.id])
    expect(await plugin.releases.list('hello')).toHaveLength(1)
  })

  it('are retired whatever a plugin says to it', async () => {
    const boom = () => {
      throw new Error('no')
    }
    plugin.on({ name: 'scheduler-register-retired', kind: 'series' } as never, boom)
    await plugin.push('hello', tree())
    world.scheduler.failNext.set('rename', new Error('no'))
    await plugin.push('hello', tree({ content: '2' }))
    await retired('web.1@v2')
  })

  it('restart one type and leave the others alone', async () => {
    await plugin.push('hello', tree())
    await plugin.processes.scale('hello', { worker: 1 })
    const web = (await world.scheduler.list()).find(({ processType }) => processType === 'web')
    await plugin.processes.restart('hello', { type: 'worker' })
    expect((await world.router.list())[0]?.targets[0]?.id).toBe(web?.id)
    expect(world.scheduler.journal.filter((line) => line === 'start worker.1')).toHaveLength(2)
    await expect(plugin.processes.restart('hello', { type: 'x' })).rejects.toMatchObject({ kind: 'invalid' })
  })

  it('stop: refused at the edge first, then ended; and start again', async () => {
    await plugin.push('hello', tree())
    await plugin.processes.stop('hello')
    expect((await world.router.list())[0]).toMatchObject({ state: 'down' })
    expect(await world.scheduler.list()).toEqual([])
    expect((await plugin.apps.report('hello')).state).toBe('stopped')
    await plugin.config.update('hello', { set: { A: '1' } })
    expect(running()).toEqual([])
    await plugin.processes.start('hello')
    expect(running()).toEqual(['web.1@v2'])
    const { lines, onLine } = collect()
    await plugin.processes.start('hello', onLine)
    expect(textOf(lines)).toBe('step: hello runs already')
  })

  it('are crashed where web does not run, and their routes hold or are down', async () => {
    await plugin.push('hello', tree())
    const [web] = await world.scheduler.list()
    await world.scheduler.end(web?.id as string, 1, 'restarting')
    await until('hold', async () => (await world.router.list())[0]?.state === 'hold')
    expect((await plugin.apps.report('hello')).state).toBe('crashed')
    await world.scheduler.comeBack(web?.id as string)
    await until('up', async () => (await world.router.list())[0]?.state === 'up')
    const now = await world.scheduler.inspect(web?.id as string)
    expect((await world.router.list())[0]?.targets[0]?.port).toBe(now.address?.port)
    await world.scheduler.end(web?.id as string, 1)
    await until('down', async () => (await world.router.list())[0]?.state === 'down')
    expect((await plugin.processes.report('hello')).processes[0]).toMatchObject({
      name: 'web.1',
      status: 'exited',
      exitCode: 1,
      restarts: 1,
    })
    await plugin.processes.start('hello')
    expect((await plugin.apps.report('hello')).state).toBe('running')
  })

  it('rebuild the commit that is deployed', async () => {
    const { rev } = await plugin.push('hello', tree())
    await plugin.processes.rebuild('hello', { noCache: true })
    expect(world.scheduler.builds.at(-1)).toMatchObject({ noCache: true })
    expect((await plugin.releases.list('hello'))[0]).toMatchObject({
      id: 'v2',
      source: 'rebuild',
      gitRev: rev,
    })
  })

  it('run commands in the environment of the release, and beside a process', async () => {
    await plugin.config.update('hello', { set: { A: '1' } })
    await expect(plugin.processes.run('hello', { command: ['ls'] })).rejects.toMatchObject({
      kind: 'conflict',
    })
    await plugin.push('hello', tree())
    const run = await plugin.processes.run('hello', {
      command: ['env'],
      env: { B: '2' },
      tty: true,
      rows: 24,
      columns: 80,
    })
    expect(world.scheduler.specs.at(-1)).toMatchObject({
      command: ['env'],
      env: { A: '1', B: '2', KERNEL_APP: 'hello' },
      oneOff: { tty: true, rows: 24, columns: 80 },
      name: expect.stringMatching(/^hello\.run\.\d{4}$/),
    })
    for await (const _ of run.stream.output);
    expect(await run.exit).toEqual({ exitCode: 0 })
    const enter = await plugin.processes.enter('hello', { command: ['sh'] })
    expect(await enter.exit).toEqual({ exitCode: 0 })
    await enter.kill()
    await expect(
      plugin.processes.enter('hello', { process: 'web.9', command: ['sh'] }),
    ).rejects.toMatchObject({ kind: 'not-found' })
    await expect(plugin.processes.run('hello', { command: [] })).rejects.toMatchObject({ kind: 'invalid' })
  })
})

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

describe('checks', () => {
  it('ask the path that was set, with a domain of the app', async () => {
    await plugin.checks.set('hello', 'path', '/up')
    await plugin.checks.set('hello', 'timeout', '0.3')
    await expect(plugin.push('hello', tree({ web: 'status:503' }))).rejects.toThrow(/GET \/up answered 503/)
    await plugin.push('hello', tree({ content: 'ok' }))
    expect(await plugin.checks.report('hello')).toEqual({
      enabled: true,
      path: '/up',
      timeout: 0.3,
      attemptTimeout: 1,
      waitToRetire: 5,
    })
    await plugin.checks.set('hello', 'path', '')
    expect((await plugin.checks.report('hello')).path).toBeUndefined()
    for (const [key, value] of [
      ['path', 'up'],
      ['timeout', 'x'],
      ['timeout', '-1'],
      ['colour', 'red'],
    ] as const)
      await expect(plugin.checks.set('hello', key, value)).rejects.toMatchObject({ kind: 'invalid' })
  })

  it('look into the answer and run commands where app.json says so', async () => {
    const checks = (check: object) => ({ 'app.json': JSON.stringify({ healthchecks: { web: [check] } }) })
    await plugin.push('hello', tree({}, checks({ path: '/x', content: 'v1 /x hello.localhost' })))
    await expect(
      plugin.push('hello', tree({}, checks({ path: '/', content: 'nonsense', attempts: 1 }))),
    ).rejects.toThrow(/does not contain "nonsense"/)
    await plugin.push('hello', tree({}, checks({ command: ['true'] })))
    await expect(
      plugin.push('hello', tree({}, checks({ command: ['false'], attempts: 2, wait: 0 }))),
    ).rejects.toThrow(/the check exited with 1: false/)
    await plugin.push('hello', tree({}, checks({ uptime: 0.01 })))
    await plugin.push('hello', tree({}, checks({ type: 'liveness', command: ['false'], attempts: 1 })))
    const { lines, onLine } = collect()
    expect(await plugin.checks.run('hello', onLine)).toEqual({ passed: false })
    expect(textOf(lines)).toContain('error: web.1 did not pass its checks')
  })

  it('can be switched off', async () => {
    await plugin.checks.disable('hello')
    await plugin.push('hello', tree({ web: 'silent' }))
    expect(running()).toEqual(['web.1@v1'])
    await plugin.checks.enable('hello')
    await expect(plugin.push('hello', tree({ web: 'exit' }))).rejects.toThrow('web.1 exited')
  })
})

describe('builders', () => {
  it('go by what was selected, and by the build dir', async () => {
    await plugin.builders.set('hello', 'selected', 'procfile')
    await plugin.builders.set('hello', 'build-dir', 'apps/api')
    await plugin.push('hello', {
      Dockerfile: 'FROM x',
      'apps/api/Procfile': 'web: api\n',
      'apps/api/Dockerfile': 'FROM y',
    })
    expect(world.scheduler.builds[0]).toMatchObject({
      plan: { builder: 'procfile' },
      dir: expect.stringMatching(/apps\/api$/),
    })
    expect(await plugin.builders.report('hello')).toMatchObject({
      selected: 'procfile',
      detected: 'procfile',
      buildDir: 'apps/api',
    })
    await expect(plugin.push('hello', tree())).rejects.toThrow('The build dir apps/api is no folder')
    for (const [key, value] of [
      ['build-dir', '../x'],
      ['selected', 'A B'],
      ['base', '-x'],
      ['nope', 'x'],
    ] as const)
      await expect(plugin.builders.set('hello', key, value)).rejects.toMatchObject({ kind: 'invalid' })
    await plugin.builders.set('hello', 'selected', 'unheard-of')
    await plugin.builders.set('hello', 'build-dir', '')
    await expect(plugin.push('hello', tree())).rejects.toThrow('No plugin has a builder unheard-of')
  })

  it('of other plugins are asked too', async () => {
    const plan = { builder: 'cobol', dockerfile: { text: 'FROM cobol' }, processes: { web: './main' } }
    plugin.on({ name: 'builder-detect', kind: 'bail' } as never, (() => 'cobol') as never)
    plugin.on(
      { name: 'builder-build', kind: 'bail' } as never,
      ((event: { builder: string }) => (event.builder === 'cobol' ? plan : undefined)) as never,
    )
    await plugin.push('hello', { 'main.cob': '' })
    expect(world.scheduler.specs.at(-1)?.command).toEqual(['/bin/sh', '-c', 'exec ./main'])
  })
})

describe('logs', () => {
  const read = async (options: Parameters<typeof plugin.logs.read>[1]) => {
    const lines: string[] = []
    for await (const { process, data } of plugin.logs.read('hello', options))
      lines.push(`${process} ${Buffer.from(data).toString().trim()}`)
    return lines
  }

  it('merge the processes by time, and outlive them', async () => {
    await plugin.push('hello', tree())
    await plugin.processes.scale('hello', { web: 2 })
    const [one, two] = (await world.scheduler.list()).sort((a, b) => a.index - b.index)
    const soon = Date.now() + 60_000
    world.scheduler.write(one?.id as string, 'first', soon)
    world.scheduler.write(two?.id as string, 'second', soon + 1)
    world.scheduler.write(one?.id as string, 'third', soon + 2)
    expect(await read({ tail: 3 })).toEqual(['web.1 first', 'web.2 second', 'web.1 third'])
    expect(await read({ tail: 1, process: 'web.2' })).toEqual(['web.2 second'])
    await plugin.processes.stop('hello')
    expect(await read({ tail: 3 })).toEqual(['web.1 first', 'web.2 second', 'web.1 third'])
    await appendFile(`${world.dataDir}/apps/logs/hello.ndjson`, '{"cut')
    expect(await read({ tail: 1 })).toEqual(['web.1 third'])
    await expect(read({ tail: -1 })).rejects.toMatchObject({ kind: 'invalid' })
  })

  it('go on over deploys and restarts', async () => {
    await plugin.push('hello', tree())
    const stop = new AbortController()
    const lines: string[] = []
    const reader = (async () => {
      for await (const { data } of plugin.logs.read('hello', { follow: true, signal: stop.signal }))
        lines.push(Buffer.from(data).toString().trim())
    })()
    const [first] = await world.scheduler.list()
    await until('the start', () => lines.length === 1)
    world.scheduler.write(first?.id as string, 'live')
    await until('the line', () => lines.at(-1) === 'live')
    await plugin.push('hello', tree({ content: '2' }))
    await until('the second start', () => lines.filter((line) => line === 'web.1 starts').length === 2)
    await retired('web.1@v2')
    const second = (await world.scheduler.list()).find(({ releaseId }) => releaseId === 'v2')
    await world.scheduler.end(second?.id as string, 1, 'restarting')
    await world.scheduler.comeBack(second?.id as string)
    world.scheduler.write(second?.id as string, 'back')
    await until('the line', () => lines.at(-1) === 'back')
    stop.abort()
    await reader
    expect(lines.filter((line) => line === 'back')).toHaveLength(1)
  })
})
