import { afterEach, expect, test, vi } from 'vitest'
import { Scope } from './scope.ts'

afterEach(() => vi.useRealTimers())
const late = new Error('late')

test('runs cleanups last come first, one after the other, also those added meanwhile', async () => {
  const seen: string[] = []
  const scope = new Scope((error) => expect.fail(String(error)))
  scope.defer(() => seen.push('first'))
  scope.defer(async () => {
    seen.push('second begins')
    await Promise.resolve()
    scope.defer(() => seen.push('meanwhile'))
    seen.push('second ends')
  })
  expect([scope.closed, scope.signal.aborted]).toEqual([false, false])
  const closing = scope.close(1000, late)
  expect([scope.closed, scope.signal.aborted]).toEqual([false, true])
  await closing
  expect(scope.closed).toBe(true)
  expect(seen).toEqual(['second begins', 'second ends', 'meanwhile', 'first'])
})

test('a failing cleanup keeps no other from running', async () => {
  const errors: unknown[] = []
  const scope = new Scope((error) => errors.push(error))
  const ran = vi.fn()
  scope.defer(ran)
  scope.defer(() => Promise.reject('rejected'))
  scope.defer(() => {
    throw 'thrown'
  })
  await scope.close(1000, late)
  expect(errors).toEqual(['thrown', 'rejected'])
  expect(ran).toHaveBeenCalledOnce()
})

test('a hanging cleanup keeps no other from beginning, and its late failure is told', async () => {
  vi.useFakeTimers()
  const errors: unknown[] = []
  const scope = new Scope((error) => errors.push(error))
  const hang = Promise.withResolvers<void>()
  const ran = vi.fn()
  scope.defer(ran)
  scope.defer(() => hang.promise)
  const closing = scope.close(1000, late)
  await vi.advanceTimersByTimeAsync(999)
  expect(ran).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(1)
  await closing
  expect(ran).toHaveBeenCalledOnce()
  expect(errors).toEqual([late])
  hang.reject('much later')
  await vi.waitFor(() => expect(errors).toEqual([late, 'much later']))
})

test('a cleanup that comes after the end is run at once', async () => {
  const errors: unknown[] = []
  const scope = new Scope((error) => errors.push(error))
  await scope.close(1000, late)
  const ran = vi.fn()
  scope.defer(ran)
  expect(ran).toHaveBeenCalledOnce()
  scope.defer(() => {
    throw 'too late'
  })
  expect(errors).toEqual(['too late'])
})
