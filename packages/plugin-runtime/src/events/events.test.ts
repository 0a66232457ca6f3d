import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { EngineEvent } from '@kernel/contracts'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createEvents } from './events.ts'

let dir: string
let file: string
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'events-'))
  file = path.join(dir, 'events.db')
})
afterEach(() => fs.rmSync(dir, { recursive: true, force: true }))

const event = (id: string) => ({
  Type: 'container',
  Action: 'start',
  Actor: { ID: id, Attributes: { name: id } },
})

async function take(stream: AsyncIterable<EngineEvent>, count = Number.POSITIVE_INFINITY): Promise<string[]> {
  const ids: string[] = []
  for await (const { Actor } of stream) {
    ids.push(Actor.ID)
    if (ids.length === count) break
  }
  return ids
}

test('a reader gets what is published after it subscribed, also before its first read', async () => {
  const events = createEvents({ file })
  events.publish(event('before'))
  const stream = events.subscribe()
  events.publish(event('a'))
  events.publish(event('b'))
  events.close()
  expect(await take(stream)).toEqual(['a', 'b'])
})

test('times strictly increase, and seconds agree with nanoseconds', async () => {
  const events = createEvents({ file })
  for (let i = 0; i < 2000; i++) events.publish(event(`${i}`))
  let last = 0n
  let count = 0
  for await (const { time, timeNano } of events.subscribe({ since: 0n })) {
    expect(timeNano > last).toBe(true)
    expect(time).toBe(Number(timeNano / 1_000_000_000n))
    last = timeNano
    if (++count === 2000) break
  }
  events.close()
})

test('replay survives a restart, and continues into what is live without gap or double', async () => {
  const first = createEvents({ file })
  for (let i = 0; i < 600; i++) first.publish(event(`old${i}`))
  first.close()
  const events = createEvents({ file })
  const stream = events.subscribe({ since: 0n })[Symbol.asyncIterator]()
  expect((await stream.next()).value.Actor.ID).toBe('old0')
  events.publish(event('new'))
  const rest: string[] = []
  for (let i = 0; i < 600; i++) rest.push((await stream.next()).value.Actor.ID)
  expect(rest.slice(0, 2)).toEqual(['old1', 'old2'])
  expect(rest.slice(-2)).toEqual(['old599', 'new'])
  expect(new Set(rest).size).toBe(600)
  events.close()
})

test('since and until cut out a part, both ends included, and a past until ends the stream', async () => {
  const events = createEvents({ file })
  const times: bigint[] = []
  const live = events.subscribe()[Symbol.asyncIterator]()
  for (const id of ['a', 'b', 'c', 'd']) {
    events.publish(event(id))
    times.push((await live.next()).value.timeNano)
  }
  expect(await take(events.subscribe({ since: times[1], until: times[2] }))).toEqual(['b', 'c'])
  expect(await take(events.subscribe({ until: times[2] }))).toEqual([])
  events.close()
})

test('a slow reader loses its oldest, and never blocks another', async () => {
  const events = createEvents({ file, queue: 3 })
  const slow = events.subscribe()
  const quick = events.subscribe()[Symbol.asyncIterator]()
  for (let i = 0; i < 10; i++) {
    events.publish(event(`${i}`))
    expect((await quick.next()).value.Actor.ID).toBe(`${i}`)
  }
  events.close()
  expect(await take(slow)).toEqual(['7', '8', '9'])
})

test('an aborted reader ends at once', async () => {
  const events = createEvents({ file })
  const stop = new AbortController()
  const reading = take(events.subscribe({ signal: stop.signal }))
  events.publish(event('a'))
  await new Promise(setImmediate)
  stop.abort()
  events.publish(event('b'))
  expect(await reading).toEqual(['a'])
  expect(await take(events.subscribe({ signal: stop.signal, since: 0n }))).toEqual([])
  events.close()
})

test('keeps no more than it is told to, give or take a quarter', async () => {
  const first = createEvents({ file, keep: 100 })
  for (let i = 0; i < 1000; i++) first.publish(event(`${i}`))
  first.close()
  const events = createEvents({ file, keep: 100 })
  const ids = await take(events.subscribe({ since: 0n, until: BigInt(Date.now() + 1) * 1_000_000n }))
  events.close()
  expect(ids.length).toBeGreaterThanOrEqual(100)
  expect(ids.length).toBeLessThanOrEqual(100 + 256)
  expect(ids.at(-1)).toBe('999')
})
