import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { spaceReserve, spendReserve, useReserve } from './space-reserve.ts'

let dir: string
let file: string
beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), 'state-reserve-'))
  file = join(dir, 'reserve')
})
afterEach(() => {
  useReserve(undefined)
  fs.rmSync(dir, { recursive: true })
})

it('holds real blocks', () => {
  const reserve = spaceReserve(file, 3 << 20)
  reserve.keep()
  reserve.close()
  const { size, blocks, mode } = fs.statSync(file)
  expect([size, mode & 0o777]).toEqual([3 << 20, 0o600])
  expect(blocks * 512).toBeGreaterThanOrEqual(size)
})

it('is spent in slices until nothing is left', () => {
  const reserve = spaceReserve(file, 300 << 10)
  expect(reserve.spend()).toBe(false)
  reserve.keep()
  reserve.close()
  useReserve(reserve)
  const sizes = []
  while (spendReserve()) sizes.push(fs.statSync(file).size >> 10)
  expect(sizes).toEqual([172, 44, 0])
})

it('grows back where there is room', async () => {
  fs.writeFileSync(file, 'a rest')
  const reserve = spaceReserve(file, 1 << 20)
  reserve.keep()
  await expect.poll(() => fs.statSync(file).size).toBe(1 << 20)
  reserve.close()
})

it('says nothing where it can not be made', () => {
  const reserve = spaceReserve(join(dir, 'missing', 'reserve'), 1 << 20)
  reserve.keep()
  reserve.close()
  expect(fs.readdirSync(dir)).toEqual([])
})

it('is nobody’s before it is in use', () => expect(spendReserve()).toBe(false))
