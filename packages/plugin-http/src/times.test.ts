import { describe, expect, it } from 'vitest'
import { parseTime, unixSeconds } from './times.ts'

describe('parseTime', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')

  it.each([
    ['1700000000', 1_700_000_000_000_000_000n],
    ['1700000000.000000001', 1_700_000_000_000_000_001n],
    ['1700000000.5', 1_700_000_000_500_000_000n],
    ['0', 0n],
    ['2023-11-14T22:13:20Z', 1_700_000_000_000_000_000n],
    ['2023-11-14T22:13:20.123456789Z', 1_700_000_000_123_456_789n],
    ['2023-11-14T23:13:20+01:00', 1_700_000_000_000_000_000n],
    ['2023-11-14', 1_699_920_000_000_000_000n],
    ['1h30m', BigInt(now - 5_400_000) * 1_000_000n],
    ['1.5s', BigInt(now - 1500) * 1_000_000n],
  ])('reads %s', (text, expected) => {
    expect(parseTime(text, now)).toBe(expected)
  })

  it('takes nothing as no limit and refuses nonsense', () => {
    expect(parseTime(undefined)).toBeUndefined()
    expect(parseTime('')).toBeUndefined()
    for (const text of ['yesterday', '-5', '5x', '2023-13-45'])
      expect(() => parseTime(text)).toThrow(expect.objectContaining({ kind: 'invalid' }))
  })
})

it('turns RFC 3339 with nanoseconds into seconds', () => {
  expect(unixSeconds('2023-11-14T22:13:20.987654321Z')).toBe(1_700_000_000)
  expect(unixSeconds('0001-01-01T00:00:00Z')).toBe(-62_135_596_800)
})
