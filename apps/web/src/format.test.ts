import { expect, it } from 'vitest'
import { ago, bytes, seconds } from './format.ts'

it('tells times and sizes', () => {
  const now = Date.parse('2026-01-02T00:00:00Z')
  expect(ago('2026-01-01T23:57:00Z', now)).toBe('3 minutes ago')
  expect(ago('2026-01-01T00:00:00Z', now)).toBe('yesterday')
  expect(ago('2026-01-02T00:00:00Z', now)).toBe('now')
  expect(ago(undefined)).toBe('')
  expect([bytes(0), bytes(999), bytes(1500), bytes(151_000_000)]).toEqual([
    '0 B',
    '999 B',
    '1.5 kB',
    '151 MB',
  ])
  expect(seconds(310)).toBe('0.31 s')
})
