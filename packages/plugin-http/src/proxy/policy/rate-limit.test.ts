import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { RateLimits } from './rate-limit.ts'

const limit = { perSecond: 10, burst: 5 }
const open = () => new RateLimits(RateLimits.memory(), 'seed')
const now = Date.parse('2026-05-05T12:00:00Z')
const many = (count: number, take: () => number) =>
  Array.from({ length: count }, take).map((wait) => wait === 0)

describe('a rate limit', () => {
  it('allows a burst, then one an interval', () => {
    const limits = open()
    const take = (at: number) => limits.take('shop', '192.0.2.1', limit, now + at)
    expect(many(7, () => take(0))).toEqual([true, true, true, true, true, false, false])
    expect(take(0)).toBeCloseTo(0.1)
    expect(take(40)).toBeCloseTo(0.06)
    expect(take(100)).toBe(0)
    expect(take(100)).toBeCloseTo(0.1)
    expect(many(6, () => take(1000))).toEqual([true, true, true, true, true, false])
  })

  it('allows in the long run what it says, however the requests come', () => {
    const limits = open()
    let allowed = 0
    for (let at = 0; at < 60_000; at += 7) if (limits.take('shop', 'a', limit, now + at) === 0) allowed++
    expect(allowed).toBeGreaterThanOrEqual(600)
    expect(allowed).toBeLessThanOrEqual(605)
  })

  it('counts each app and each client alone, IPv6 by its /64', () => {
    const limits = open()
    const one = { perSecond: 1, burst: 1 }
    const take = (app: string, address: string) => limits.take(app, address, one, now)
    expect(take('shop', '2001:db8:0:1::1')).toBe(0)
    expect(take('shop', '2001:db8:0:1:ffff::2')).toBeGreaterThan(0)
    expect(take('shop', '2001:db8:0:2::1')).toBe(0)
    expect(take('blog', '2001:db8:0:1::1')).toBe(0)
    expect(take('shop', '192.0.2.1')).toBe(0)
    expect(take('shop', '::ffff:192.0.2.1')).toBeGreaterThan(0)
  })

  it('takes slow and fast rates', () => {
    const limits = open()
    const hourly = { perSecond: 1 / 3600, burst: 2 }
    const take = (at: number) => limits.take('shop', 'slow', hourly, now + at)
    expect([take(0), take(0)]).toEqual([0, 0])
    expect(take(0)).toBeCloseTo(3600, 0)
    expect(take(3_600_000)).toBe(0)
    const fast = { perSecond: 100_000, burst: 1 }
    let allowed = 0
    for (let n = 0; n < 1000; n++) if (limits.take('shop', 'fast', fast, now + n * 0.005) === 0) allowed++
    expect(allowed).toBe(500)
  })

  it('follows a change of the limit at once', () => {
    const limits = open()
    const slow = { perSecond: 0.01, burst: 10 }
    expect(many(11, () => limits.take('shop', 'a', slow, now)).filter(Boolean)).toHaveLength(10)
    expect(limits.take('shop', 'a', limit, now)).toBe(0)
  })

  it('keeps counting where its clock goes round, and forgives one that has jumped back', () => {
    const round = 2 ** 40 / 1000
    const edge = Math.ceil(now / round) * round
    const limits = open()
    expect(many(6, () => limits.take('shop', 'a', limit, edge - 0.05))).toEqual([
      true,
      true,
      true,
      true,
      true,
      false,
    ])
    expect(limits.take('shop', 'a', limit, edge + 0.05)).toBeCloseTo(0.1, 3)
    expect(limits.take('shop', 'a', limit, edge + 99.95)).toBe(0)
    expect(limits.take('shop', 'a', limit, edge - 3_600_000)).toBe(0)
    expect(limits.take('shop', 'a', limit, edge + 5 * round)).toBe(0)
  })

  it('forgets somebody rather than refuse a newcomer, and stays in its memory', () => {
    const limits = open()
    const one = { perSecond: 0.001, burst: 1 }
    let refused = 0
    for (let n = 0; n < 200_000; n++) if (limits.take('shop', `client ${n}`, one, now) !== 0) refused++
    expect(refused).toBeLessThan(5)
    let remembered = 0
    for (let n = 199_000; n < 200_000; n++)
      if (limits.take('shop', `client ${n}`, one, now) !== 0) remembered++
    // All are equally far above their rate here, so that it is chance who is forgotten.
    expect(remembered).toBeGreaterThan(50)
  })
})

it('is exact over threads', async () => {
  const memory = RateLimits.memory()
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const clients = 7
  const workers = Array.from(
    { length: 4 },
    () =>
      new Worker(new URL('../testing/rate-limit-worker.ts', import.meta.url), {
        execArgv: ['--conditions=source'],
        workerData: {
          memory,
          gate,
          clients,
          seed: 'seed',
          requests: 70_000,
          limit: { perSecond: 1, burst: 1000 },
          nowMs: now,
        },
      }),
  )
  await Promise.all(workers.map((worker) => once(worker, 'message')))
  const counts = workers.map((worker) => once(worker, 'message'))
  Atomics.store(gate, 0, 1)
  Atomics.notify(gate, 0)
  const answers = (await Promise.all(counts)).map(([allowed]) => allowed as number[])
  await Promise.all(workers.map((worker) => worker.terminate()))
  for (let client = 0; client < clients; client++)
    expect(answers.reduce((sum, allowed) => sum + allowed[client]!, 0)).toBe(1000)
})
