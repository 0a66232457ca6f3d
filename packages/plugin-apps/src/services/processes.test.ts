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
} from '../testing/harness.ts'

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

const collect = () => {
  const lines: Array<{ kind: 'section' | 'step' | 'detail' | 'error'; text: string }> = []
  return { lines, onLine: (line: (typeof lines)[number]) => void lines.push(line) }
}
const running = () => world.scheduler.running('hello')
const retired = (...expected: string[]) => until(expected.join(), () => running().join() === expected.join())

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

  it('have requests wait for a start where nothing serves', async () => {
    const state = async () => (await world.router.list())[0]?.state
    await plugin.push('hello', tree({}, {}))
    await plugin.processes.stop('hello')
    expect(await state()).toBe('down')
    let gate = Promise.withResolvers<void>()
    let checking = Promise.withResolvers<void>()
    plugin.on({ name: 'check-deploy', kind: 'series' } as never, async () => {
      checking.resolve()
      await gate.promise
    })
    const start = plugin.processes.start('hello')
    await checking.promise
    expect(await state()).toBe('hold')
    gate.resolve()
    await start
    expect(await state()).toBe('up')
    // One that fails leaves them no hope.
    await plugin.processes.stop('hello')
    gate = Promise.withResolvers()
    checking = Promise.withResolvers()
    const failure = plugin.processes.start('hello')
    await checking.promise
    expect(await state()).toBe('hold')
    gate.reject(new Error('not fit'))
    await expect(failure).rejects.toThrow('not fit')
    expect([await state(), (await plugin.apps.report('hello')).state]).toEqual(['down', 'stopped'])
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
