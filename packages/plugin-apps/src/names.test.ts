import { describe, expect, it } from 'vitest'
import { checkAppName, checkVariableName, normalizeDomain } from './names.ts'

describe('app names', () => {
  it.each(['a', 'hello', 'my-app.v2', '0', 'a'.repeat(63)])('takes %s', (name) => {
    expect(checkAppName(name)).toBe(name)
  })
  it.each(['', 'Hello', '-a', '.a', 'a_b', 'a/b', '../x', 'a'.repeat(64), 'global', 'a\n'])(
    'refuses %j',
    (name) => {
      expect(() => checkAppName(name)).toThrow(/is no name for an app/)
    },
  )
})

it.each(['', '1A', 'A-B', 'A=B', 'A B', 'ä'])('refuses %j as a variable', (name) => {
  expect(() => checkVariableName(name)).toThrow(/is no name for a variable/)
})

describe('domains', () => {
  it.each([
    ['Example.COM', 'example.com'],
    ['example.com.', 'example.com'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['*.Bücher.example', '*.xn--bcher-kva.example'],
    ['127.0.0.1', '127.0.0.1'],
    ['localhost', 'localhost'],
  ])('normalizes %s', (input, domain) => {
    expect(normalizeDomain(input)).toBe(domain)
  })
  it.each([
    '',
    '*',
    '*.',
    'a..b',
    'http://a.b',
    'a.b/c',
    'a.b:80',
    'a b',
    '-a.b',
    'x.*.y',
    `${'a'.repeat(64)}.b`,
  ])('refuses %j', (input) => {
    expect(() => normalizeDomain(input)).toThrow(/is no domain/)
  })
})
