import { appendFile } from 'node:fs/promises'
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
