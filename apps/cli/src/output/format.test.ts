import { describe, expect, it } from 'vitest'
import { ago, bytes, counts, seconds } from './format.ts'

describe('numbers and times', () => {
  it.each([
    [0, '0B'],
    [999, '999B'],
    [1000, '1kB'],
    [12_345_678, '12.3MB'],
    [999_999, '1000kB'],
    [5e9, '5GB'],
    [undefined, ''],
  ])('%s bytes are %s', (count, expected) => expect(bytes(count)).toBe(expected))

  const now = Date.parse('2026-05-05T12:00:00Z')
  it.each([
    ['2026-05-05T12:00:00Z', 'just now'],
    ['2026-05-05T11:59:59Z', '1 second ago'],
    ['2026-05-05T11:57:00Z', '3 minutes ago'],
    ['2026-05-05T10:59:00Z', '1 hour ago'],
    ['2026-05-01T12:00:00Z', '4 days ago'],
    ['2026-05-06T12:00:00Z', 'just now'],
    [undefined, ''],
  ])('%s was %s', (time, expected) => expect(ago(time, now)).toBe(expected))

  it('shows milliseconds as seconds, and counts by type', () => {
    expect(seconds(312)).toBe('0.31s')
    expect(counts({ web: 2, worker: 1 })).toBe('web=2 worker=1')
  })
})
