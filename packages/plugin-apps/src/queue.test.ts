import { expect, it } from 'vitest'
import { AppQueue, Superseded } from './queue.ts'

const gate = () => Promise.withResolvers<void>()

it('runs work of one app in order, and of others side by side', async () => {
  const queue = new AppQueue()
  const log: string[] = []
  const hold = gate()
  const first = queue.run('a', { label: 'first' }, async () => {
    await hold.promise
    log.push('a1')
  })
  const waits: string[] = []
  const second = queue.run('a', { label: 'second', onWait: (label) => waits.push(label) }, async () =>
    log.push('a2'),
  )
  await queue.run('b', { label: 'other' }, async () => log.push('b'))
  hold.resolve()
  await Promise.all([first, second])
  expect(log).toEqual(['b', 'a1', 'a2'])
  expect(waits).toEqual(['first'])
  expect(queue.isBusy('a')).toBe(false)
})

it('goes on after work that failed', async () => {
  const queue = new AppQueue()
  const bad = queue.run('a', { label: 'bad' }, async () => {
    throw new Error('no')
  })
  const good = queue.run('a', { label: 'good' }, async () => 'done')
  await expect(bad).rejects.toThrow('no')
  expect(await good).toBe('done')
})

it('lets only waiting pushes give way, and only to pushes', async () => {
  const queue = new AppQueue()
  const hold = gate()
  const done: string[] = []
  const push = (rev: string) => queue.run('a', { label: rev, rev }, async () => done.push(rev))
  const running = queue.run('a', { label: 'r1', rev: 'r1' }, async () => hold.promise)
  const waiting = push('r2')
  const scale = queue.run('a', { label: 'scale' }, async () => done.push('scale'))
  const newest = push('r3')
  await expect(waiting).rejects.toBeInstanceOf(Superseded)
  hold.resolve()
  await Promise.all([running, scale, newest])
  expect(done).toEqual(['scale', 'r3'])
})

it('cancels what waits at once and what runs by its signal', async () => {
  const queue = new AppQueue()
  const reason = new Error('cancelled')
  const running = queue.run(
    'a',
    { label: '1', id: '1' },
    (signal) => new Promise((_, no) => signal.addEventListener('abort', () => no(signal.reason))),
  )
  const waiting = queue.run('a', { label: '2', id: '2' }, async () => 'never')
  expect(queue.cancel('2', reason)).toBe(true)
  await expect(waiting).rejects.toBe(reason)
  expect(queue.cancel('1', reason)).toBe(true)
  await expect(running).rejects.toBe(reason)
  expect(queue.cancel('1', reason)).toBe(false)
})

it('closes when all work has ended, and takes no more', async () => {
  const queue = new AppQueue()
  const hold = gate()
  const reason = new Error('closing')
  let ended = false
  const running = queue.run('a', { label: '1' }, async () => {
    await hold.promise
    ended = true
  })
  const waiting = queue.run('a', { label: '2' }, async () => 'never')
  const closed = queue.close(reason)
  await expect(waiting).rejects.toBe(reason)
  await expect(queue.run('b', { label: '3' }, async () => 'never')).rejects.toBe(reason)
  hold.resolve()
  await closed
  expect(ended).toBe(true)
  await running
})

it('begins nothing while it is held', async () => {
  const queue = new AppQueue()
  const open = queue.hold()
  const log: string[] = []
  const work = ['1', '2'].map((name) => queue.run('a', { label: name }, async () => log.push(name)))
  const other = queue.run('b', { label: 'other' }, async () => log.push('b'))
  await new Promise((resolve) => setImmediate(resolve))
  expect(log).toEqual([])
  open()
  await Promise.all([...work, other])
  expect(log.sort()).toEqual(['1', '2', 'b'])
})
