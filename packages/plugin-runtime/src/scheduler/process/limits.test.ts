import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createLimitGroups } from './limits.ts'

it('takes no folder for a control group', () => {
  const dir = mkdtempSync(join(tmpdir(), 'limits-'))
  try {
    const groups = createLimitGroups('test', dir)
    expect(groups.reason).toMatch(/ENOENT/)
    expect(groups.create('a', { memory: 1e6 })).toBeUndefined()
    expect(readdirSync(dir)).toEqual([])
  } finally {
    rmSync(dir, { recursive: true })
  }
})

it('leaves no group of this machine behind', () => {
  const groups = createLimitGroups(`test${process.pid}`)
  groups.close()
  expect(existsSync(`/sys/fs/cgroup/kernel-test${process.pid}`)).toBe(false)
})
