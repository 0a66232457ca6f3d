import { afterEach, expect, test, vi } from 'vitest'
import { Scope } from './scope.ts'

afterEach(() => vi.useRealTimers())

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
  const closing = scope.close(1000)
  expect([scope.closed, scope.signal.aborted]).toEqual([false, true])
  expect(await closing).toBe(true)
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
  await scope.close(1000)
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
  const closing = scope.close(1000)
  await vi.advanceTimersByTimeAsync(999)
  expect(ran).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(1)
  expect(await closing).toBe(false)
  expect(ran).toHaveBeenCalledOnce()
  expect(errors).toEqual([])
  hang.reject('much later')
  await vi.waitFor(() => expect(errors).toEqual(['much later']))
})

test('a cleanup that comes after the end is run at once', async () => {
  const errors: unknown[] = []
  const scope = new Scope((error) => errors.push(error))
  await scope.close(1000)
  const ran = vi.fn()
  scope.defer(ran)
  expect(ran).toHaveBeenCalledOnce()
  scope.defer(() => {
    throw 'too late'
  })
  expect(errors).toEqual(['too late'])
})
