import { expect, test } from 'vitest'
import { describeError, errorCodes, KernelError, originalError } from './errors.ts'

test('carries its code, its blame and the untouched cause', () => {
  const cause = new RangeError('too far')
  const error = new KernelError('HOOK_FAILED', 'it failed', { plugin: 'a', hook: 'h', cause })
  expect(error).toBeInstanceOf(Error)
  expect(error).toMatchObject({
    name: 'KernelError',
    code: 'HOOK_FAILED',
    plugin: 'a',
    hook: 'h',
    message: 'it failed',
  })
  expect(error.cause).toBe(cause)
})

test('has no cause of its own making', () => {
  expect('cause' in new KernelError('KERNEL_STATE', 'twice')).toBe(false)
})

test('explains every code in a sentence', () => {
  for (const [code, meaning] of Object.entries(errorCodes)) {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)+$/)
    expect(meaning).toMatch(/^[A-Z].{20,}\.$/)
  }
})

test('finds what the plugin threw beneath every layer of blame', () => {
  const thrown = new Error('no such app')
  const inner = new KernelError('HOOK_FAILED', 'inner', { cause: thrown })
  expect(originalError(new KernelError('HOOK_FAILED', 'outer', { cause: inner }))).toBe(thrown)
  const bare = new KernelError('KERNEL_STATE', 'bare')
  expect(originalError(bare)).toBe(bare)
  expect(originalError('text')).toBe('text')
})

test('describes whatever was thrown', () => {
  expect([describeError(new Error('a')), describeError('b'), describeError(undefined)]).toEqual([
    'a',
    'b',
    'undefined',
  ])
})
