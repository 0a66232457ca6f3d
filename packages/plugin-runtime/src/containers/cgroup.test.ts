import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { cgroupOf } from './cgroup.ts'

/** Where this machine has the two kinds, for those who may make groups there. */
const trees = [
  { kind: 'v1', root: '/sys/fs/cgroup', base: '/sys/fs/cgroup/freezer' },
  { kind: 'v2', root: '/sys/fs/cgroup/unified', base: '/sys/fs/cgroup/unified' },
  { kind: 'v2', root: '/sys/fs/cgroup', base: '/sys/fs/cgroup' },
] as const
const here = trees.filter(({ kind, base }) =>
  kind === 'v2' ? existsSync(join(base, 'cgroup.controllers')) : existsSync(join(base, 'tasks')),
)
if (here.length === 0 || process.getuid?.() !== 0)
  console.log('the freezer of cgroups: its tests are skipped, this machine has none for this user')

describe.runIf(here.length > 0 && process.getuid?.() === 0)('the freezer of a cgroup', () => {
  it.each(here)('of $kind in $root stops and lets go on', async ({ kind, root, base }) => {
    const path = `/kernel-freezer-test-${process.pid}`
    const dir = join(base, path)
    mkdirSync(dir)
    const child = spawn('sh', ['-c', 'while :; do echo tick; sleep 0.01; done'])
    const exit = new Promise((resolve) => child.once('exit', resolve))
    onTestFinished(async () => {
      await cgroup.setFrozen(false)
      child.kill('SIGKILL')
      await exit
      await expect.poll(() => readFileSync(join(dir, 'cgroup.procs'), 'utf8')).toBe('')
      rmdirSync(dir)
    })
    let ticks = 0
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      ticks += text.split('\n').length - 1
    })
    writeFileSync(join(dir, 'cgroup.procs'), String(child.pid))
    const cgroup = cgroupOf(kind, path, root)
    expect(cgroup.isFrozen()).toBe(false)
    await expect.poll(() => ticks).toBeGreaterThan(1)
    expect(await cgroup.setFrozen(true)).toBe(true)
    expect(await cgroup.setFrozen(true)).toBe(true)
    expect(cgroup.isFrozen()).toBe(true)
    // What was in the pipe comes; then nothing does.
    let stood = -1
    await expect
      .poll(
        () => {
          const still = stood === ticks
          stood = ticks
          return still
        },
        { interval: 200 },
      )
      .toBe(true)
    expect(await cgroup.setFrozen(false)).toBe(true)
    expect(cgroup.isFrozen()).toBe(false)
    await expect.poll(() => ticks).toBeGreaterThan(stood)
  })

  it.each(['v1', 'v2'] as const)('of %s that is not there says so', async (kind) => {
    const cgroup = cgroupOf(kind, '/kernel-freezer-that-is-not-there')
    expect(cgroup.isFrozen()).toBeUndefined()
    expect(await cgroup.setFrozen(true)).toBe(false)
  })
})
