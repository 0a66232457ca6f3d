import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { spaceReserve } from './space-reserve.ts'

let dir: string
beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), 'state-reserve-'))
})
afterEach(() => fs.rmSync(dir, { recursive: true }))

it('holds real blocks, once', () => {
  const file = join(dir, 'reserve')
  for (let start = 0; start < 2; start++) {
    const reserve = spaceReserve(file, 3 << 20)
    expect(reserve.yield()).toBe(false)
    reserve.keep()
    reserve.close()
  }
  const { size, blocks, mode } = fs.statSync(file)
  expect([size, mode & 0o777]).toEqual([3 << 20, 0o600])
  expect(blocks * 512).toBeGreaterThanOrEqual(size)
})

it('is given up where there is less room than it holds', () => {
  const file = join(dir, 'reserve')
  fs.writeFileSync(file, 'what was kept')
  const reserve = spaceReserve(file, Number.MAX_SAFE_INTEGER)
  expect(reserve.yield()).toBe(true)
  expect(fs.existsSync(file)).toBe(false)
  expect(reserve.yield()).toBe(false)
})

it('says nothing where it can not be made', () => {
  const reserve = spaceReserve(join(dir, 'missing', 'reserve'), 1 << 20)
  reserve.keep()
  reserve.close()
  expect(fs.readdirSync(dir)).toEqual([])
})
