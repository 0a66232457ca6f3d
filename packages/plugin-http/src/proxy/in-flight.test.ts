import { describe, expect, it } from 'vitest'
import { InFlight } from './in-flight.ts'

describe('InFlight', () => {
  it('counts over all threads that share its memory', () => {
    const one = new InFlight(3)
    const other = new InFlight(3, one.memory)
    one.enter(0, 7)
    other.enter(2, 7)
    other.enter(2, 8)
    expect([one.count(7), one.count(8), other.count(9)]).toEqual([2, 1, 0])
    one.leave(0, 7)
    expect(other.count(7)).toBe(1)
  })

  it('is idle when the last has left, and says what is left after the time', async () => {
    const counts = new InFlight(2)
    counts.enter(0, 1)
    counts.enter(1, 2)
    expect(await counts.idle([1, 2], 0)).toBe(2)
    expect(await counts.idle([3], 60_000)).toBe(0)
    const idle = counts.idle([1, 2], 60_000)
    counts.leave(0, 1)
    await Promise.resolve()
    counts.leave(1, 2)
    expect(await idle).toBe(0)
  })

  it('forgets a thread, and wakes who waited for it', async () => {
    const counts = new InFlight(2)
    counts.enter(0, 1)
    counts.enter(1, 1)
    const idle = counts.idle([1], 60_000)
    counts.reset(0)
    expect(counts.count(1)).toBe(1)
    counts.leave(1, 1)
    expect(await idle).toBe(0)
  })

  it('tells all threads that visitors may be answered', () => {
    const one = new InFlight(1)
    const other = new InFlight(1, one.memory)
    expect(other.ready).toBe(false)
    one.setReady()
    expect(other.ready).toBe(true)
  })
})
