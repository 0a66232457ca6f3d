import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { newWorld, type Running, startPlugin, textOf, tree, type World } from '../testing/harness.ts'

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
