import { describe, expect, it } from 'vitest'
import { KeyedMutex } from './keyed-mutex.ts'

const gate = () => Promise.withResolvers<void>()

describe('KeyedMutex', () => {
  it('runs one at a time for a key, in the order of asking', async () => {
    const mutex = new KeyedMutex()
    const log: string[] = []
    const first = gate()
    const work = ['a', 'b', 'c'].map((name) =>
      mutex.run('k', async () => {
        log.push(`${name} begins`)
        if (name === 'a') await first.promise
        log.push(`${name} ends`)
        return name
      }),
    )
    await Promise.resolve()
    expect(log).toEqual(['a begins'])
    first.resolve()
    expect(await Promise.all(work)).toEqual(['a', 'b', 'c'])
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
  })

  it('runs different keys side by side', async () => {
    const mutex = new KeyedMutex()
    const blocked = gate()
    const one = mutex.run('one', () => blocked.promise)
    expect(await mutex.run('two', () => 2)).toBe(2)
    blocked.resolve()
    await one
  })

  it('goes on after a failure, and forgets a key that nobody uses', async () => {
    const mutex = new KeyedMutex()
    const failing = mutex.run('k', () => {
      throw new Error('no')
    })
    const next = mutex.run('k', () => 'yes')
    await expect(failing).rejects.toThrow('no')
    expect(await next).toBe('yes')
    await Promise.resolve()
    expect(mutex.isLocked('k')).toBe(false)
  })

  it('lets who gave up go at once, and those behind still wait for those before', async () => {
    const mutex = new KeyedMutex()
    const first = gate()
    const log: string[] = []
    const one = mutex.run('k', () => first.promise.then(() => log.push('one')))
    const giveUp = new AbortController()
    const two = mutex.run('k', () => log.push('two'), { signal: giveUp.signal })
    const three = mutex.run('k', () => log.push('three'))
    giveUp.abort(new Error('superseded'))
    await expect(two).rejects.toThrow('superseded')
    expect(log).toEqual([])
    first.resolve()
    await Promise.all([one, three])
    expect(log).toEqual(['one', 'three'])
  })
})
