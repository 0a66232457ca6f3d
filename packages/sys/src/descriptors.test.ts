import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { expect, it } from 'vitest'
import { closeOnExec } from './descriptors.ts'

it('keeps a descriptor from programs that are started', () => {
  const fd = fs.openSync('/dev/null', 'r')
  try {
    closeOnExec(fd)
    // Read from the kernel's own view: flags are octal, O_CLOEXEC is 02000000.
    const flags = /flags:\s+(\d+)/.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
    expect(Number.parseInt(flags!, 8) & 0o2000000).toBe(0o2000000)
    expect(spawnSync('test', ['-e', `/proc/self/fd/${fd}`]).status).toBe(1)
  } finally {
    fs.closeSync(fd)
  }
})

it('says so where the descriptor is not open', () => {
  expect(() => closeOnExec(9999)).toThrow('9999')
})
