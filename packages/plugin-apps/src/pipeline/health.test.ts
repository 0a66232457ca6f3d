import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import {
  messageOf,
  newWorld,
  type Running,
  startPlugin,
  type Tree,
  textOf,
  tree,
  until,
  type World,
} from '../testing/harness.ts'

/** Looks at short intervals, and lets little time pass between two restarts. */
const config = { leastCheckWaitSec: 0.01, livenessBackoffSec: 0.05 }
const checked = (...checks: object[]): Tree => ({
  'app.json': JSON.stringify({
    healthchecks: { web: checks.map((check) => ({ wait: 0.01, attempts: 2, timeout: 1, ...check })) },
  }),
})
const readiness = { type: 'readiness', name: 'can serve', path: '/ready' }
const liveness = { type: 'liveness', path: '/alive' }

let world: World
let plugin: Running
beforeEach(async () => {
  world = await newWorld()
  plugin = await startPlugin(world, { config })
  await plugin.apps.create('hello')
})
afterEach(async () => {
  await plugin.stop()
  await world.close()
})

const web = async (index = 1) => {
  const found = (await world.scheduler.list()).find((one) => one.processType === 'web' && one.index === index)
  if (!found) throw new Error(`there is no web.${index}`)
  return found
}
const route = async () => {
  const [one] = await world.router.list()
  return { state: one?.state, targets: one?.targets.length }
}
const routed = (state: string, targets: number) =>
  until(`${state} ${targets}`, async () => {
    const now = await route()
    return now.state === state && now.targets === targets
  })
const report = async (index = 1) =>
  (await plugin.processes.report('hello')).processes.find((one) => one.index === index)
const told = () =>
  world.events.published
    .filter(({ Type, Action }) => Type === 'app' && /ready|health/.test(Action))
    .map(({ Action, Actor }) => `${Action} ${Actor.Attributes.process}`)

describe('a readiness check', () => {
  it('takes a process out of the routes and back in', async () => {
    await plugin.push('hello', tree({}, checked(readiness)))
    await plugin.processes.scale('hello', { web: 2 })
    await routed('up', 2)
    const { id } = await web(2)
    world.scheduler.setBehaviour(id, 'status:503')
    await routed('up', 1)
    expect((await world.router.list())[0]?.targets[0]?.id).toBe((await web(1)).id)
    expect(await report(2)).toMatchObject({
      status: 'running',
      restarts: 0,
      notReady: 'the check "can serve": GET /ready answered 503',
    })
    // The last one as well: requests wait.
    world.scheduler.setBehaviour((await web(1)).id, 'status:503')
    await routed('hold', 0)
    expect((await plugin.apps.report('hello')).state).toBe('running')
    world.scheduler.setBehaviour(id, 'ok')
    await routed('up', 1)
    expect((await report(2))?.notReady).toBeUndefined()
    expect(told()).toEqual(['unready web.2', 'unready web.1', 'ready web.2'])
  })

  it('is heeded by a scaling that keeps the process', async () => {
    await plugin.push('hello', tree({}, checked(readiness)))
    world.scheduler.setBehaviour((await web()).id, 'status:503')
    await routed('hold', 0)
    await plugin.processes.scale('hello', { web: 2 })
    await routed('up', 1)
    expect((await world.router.list())[0]?.targets[0]?.id).toBe((await web(2)).id)
  })

  it('decides about a process that its restart policy has started again', async () => {
    await plugin.push('hello', tree({}, checked(readiness)))
    const { id } = await web()
    world.scheduler.setBehaviour(id, 'status:503')
    await world.scheduler.end(id, 1, 'restarting')
    await world.scheduler.comeBack(id)
    const tables = world.router.tables.length
    await until('looks', async () => world.scheduler.asked.get(id) !== undefined)
    expect(
      world.router.tables
        .slice(tables)
        .flat()
        .some(({ state }) => state === 'up'),
    ).toBe(false)
    world.scheduler.setBehaviour(id, 'ok')
    await routed('up', 1)
  })

  it('goes on after a restart of the daemon', async () => {
    await plugin.push('hello', tree({}, checked(readiness)))
    await plugin.stop()
    plugin = await startPlugin(world, { config })
    await routed('up', 1)
    const { id } = await web()
    world.scheduler.setBehaviour(id, 'status:503')
    await routed('hold', 0)
    await plugin.stop()
    world.router.forgetAll()
    const tables = world.router.tables.length
    plugin = await startPlugin(world, { config })
    // It is not routed to until it passes, however often the daemon is started.
    expect((await report())?.notReady).toContain('GET /ready answered 503')
    world.scheduler.setBehaviour(id, 'ok')
    await routed('up', 1)
    const states = world.router.tables.slice(tables).flatMap((table) => table.map(({ state }) => state))
    expect(states).toEqual(['hold', 'up'])
    expect((await report())?.notReady).toBeUndefined()
  })

  it('rests while checks are switched off, and while the process stands in the freezer', async () => {
    await plugin.apps.set('hello', 'keep-frozen', '1')
    await plugin.push('hello', tree({}, checked(readiness)))
    await plugin.checks.disable('hello')
    const { id } = await web()
    await plugin.push('hello', tree({ content: '2' }, checked(readiness)))
    await until('the freezer', async () => (await world.scheduler.inspect(id)).status === 'frozen')
    const asked = world.scheduler.asked.get(id)
    world.scheduler.setBehaviour(id, 'status:503')
    const [second] = (await world.scheduler.list()).filter(({ status }) => status === 'running')
    world.scheduler.setBehaviour(second?.id as string, 'status:503')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect([await route(), world.scheduler.asked.get(id)]).toEqual([{ state: 'up', targets: 1 }, asked])
    await plugin.checks.enable('hello')
    await routed('hold', 0)
  })
})

describe('a liveness check', () => {
  it('has a process started again, and its requests wait', async () => {
    await plugin.push('hello', tree({}, checked(liveness)))
    const { id } = await web()
    world.scheduler.setBehaviour(id, 'status:500')
    world.scheduler.beforeEnd = () => world.scheduler.setBehaviour(id, 'ok')
    await until('the restart', async () => (await report())?.restarts === 1)
    await routed('up', 1)
    expect((await web()).id).toBe(id)
    const states = world.router.tables.flatMap((table) => table.map(({ state }) => state))
    expect(states).toEqual(['up', 'hold', 'up'])
    expect(told()).toEqual(['unhealthy web.1'])
    const event = world.events.published.find(({ Action }) => Action === 'unhealthy')
    expect(event?.Actor.Attributes.reason).toBe('its liveness check of /alive: GET /alive answered 500')
    // Counted over a restart of the daemon, and anew for a new process.
    await plugin.stop()
    plugin = await startPlugin(world, { config })
    expect((await report())?.restarts).toBe(1)
    await plugin.processes.restart('hello')
    expect((await report())?.restarts).toBe(0)
  })

  it('that keeps failing starts it again ever more rarely', async () => {
    await plugin.push('hello', tree({}, checked(liveness)))
    const { id } = await web()
    world.scheduler.setBehaviour(id, 'status:500')
    const times: number[] = []
    world.scheduler.beforeEnd = () => void times.push(performance.now())
    await until('four restarts', () => times.length === 4)
    const pauses = times.slice(1).map((time, at) => time - times[at]!)
    // 50, 100, 200 ms at least.
    for (const [at, pause] of pauses.entries()) expect(pause).toBeGreaterThan(45 * 2 ** at)
  })

  it('does not touch what is no longer live', async () => {
    await plugin.push('hello', tree({}, checked(liveness)))
    const { id } = await web()
    world.scheduler.setBehaviour(id, 'status:500')
    const stopping = Promise.withResolvers<void>()
    const mayStop = Promise.withResolvers<void>()
    const stop = world.scheduler.stop.bind(world.scheduler)
    world.scheduler.stop = async (...args) => {
      stopping.resolve()
      await mayStop.promise
      return stop(...args)
    }
    await stopping.promise
    await plugin.push('hello', tree({ content: '2' }, checked(liveness)))
    mayStop.resolve()
    await until('the end', () => world.scheduler.running('hello').join() === 'web.1@v2')
    expect(world.scheduler.processes.size).toBe(1)
  })

  it('says nothing about a deploy, and is run on request', async () => {
    const files = checked({ ...liveness, wait: 60 })
    await plugin.push('hello', tree({ web: 'status:500' }, files))
    expect(await plugin.checks.run('hello')).toEqual({ passed: false })
  })
})

describe('a startup check', () => {
  it('asks with headers and scheme, and for content at / where no path is given', async () => {
    const files = checked({ content: 'nothing like it', attempts: 1 })
    const failure = await plugin.push('hello', tree({}, files)).catch((error) => error)
    expect(messageOf(failure)).toContain('GET / does not contain "nothing like it"')
    const headers = { httpHeaders: [{ name: 'Host', value: 'other.example' }], content: 'v1 / other.example' }
    await plugin.push('hello', tree({}, checked(headers)))
    const https = checked({ scheme: 'https', path: '/', attempts: 1 })
    const refused = await plugin.push('hello', tree({ content: 's' }, https)).catch((error) => error)
    expect(messageOf(refused)).toMatch(/GET \/ failed: /)
  })

  it('that only warns lets the deploy pass, and says so', async () => {
    const files = checked({ name: 'nice to have', path: '/nice', warn: true })
    const { release, lines } = await plugin.push('hello', tree({ web: 'status:404' }, files))
    expect(release).toBe('v1')
    expect(textOf(lines)).toContain(
      'error: web.1 did not pass the check "nice to have": GET /nice answered 404',
    )
  })

  it('that failed runs what app.json wants then', async () => {
    const heard: string[] = []
    const server = createServer((request, response) => {
      request.setEncoding('utf8').on('data', (text: string) => heard.push(text))
      request.on('end', () => response.end())
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/failed`
    const onFailure = { command: ['collect', 'evidence'], url }
    const files = checked({ type: 'startup', name: 'up', path: '/up', attempts: 1, onFailure })
    await plugin.push('hello', tree({ web: 'status:500' }, files)).catch(() => {})
    expect(world.scheduler.executed).toEqual([['collect', 'evidence']])
    expect(heard.map((text) => JSON.parse(text))).toEqual([
      { app: 'hello', process: 'web.1', type: 'startup', check: 'up', error: 'GET /up answered 500' },
    ])
  })

  it.each([
    ['a header that is none', { httpHeaders: [{ name: 'a b', value: '1' }] }],
    ['a URL of another kind', { onFailure: { url: 'file:///etc/passwd' } }],
    ['a scheme of another kind', { scheme: 'ftp' }],
  ])('with %s is refused', async (_, check) => {
    const failure = await plugin.push('hello', tree({}, checked(check))).catch((error) => error)
    expect(messageOf(failure)).toMatch(/^Invalid app.json: healthchecks\.web\.0/)
  })
})
