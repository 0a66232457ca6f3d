import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { cgroupFacts } from './cgroups.ts'
import { probeHost } from './probe.ts'
import { findProgram, runProgram } from './programs.ts'

let dataDir: string
beforeEach(() => {
  dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'host-'))
})
afterEach(() => fs.rmSync(dataDir, { recursive: true, force: true }))

const mount = (type: string, target: string, superOptions: string[] = []) => ({
  id: 1,
  parent: 0,
  root: '/',
  options: [],
  source: type,
  type,
  target,
  superOptions,
})

describe('cgroupFacts', () => {
  test('version 2 alone', () => {
    expect(cgroupFacts([mount('cgroup2', '/sys/fs/cgroup')]).mode).toBe('v2')
  })

  test('both versions side by side', () => {
    const facts = cgroupFacts([
      mount('cgroup', '/sys/fs/cgroup/memory', ['rw', 'memory']),
      mount('cgroup', '/sys/fs/cgroup/systemd', ['rw', 'name=systemd']),
      mount('cgroup2', '/sys/fs/cgroup/unified', ['rw']),
    ])
    expect(facts).toEqual({ mode: 'hybrid', controllers: ['memory'], unified: '/sys/fs/cgroup/unified' })
  })

  test('version 1 alone, and nothing at all', () => {
    expect(cgroupFacts([mount('cgroup', '/sys/fs/cgroup/cpu', ['rw', 'cpu', 'cpuacct'])])).toEqual({
      mode: 'v1',
      controllers: ['cpu', 'cpuacct'],
    })
    expect(cgroupFacts([mount('cgroup2', '/elsewhere')]).mode).toBe('none')
  })
})

test('a program that is missing, fails or hangs is a result, not an exception', async () => {
  expect(findProgram('no-such-program-here')).toBeUndefined()
  expect(await runProgram('/no/such/program', [])).toMatchObject({ code: -1 })
  const sh = findProgram('sh')!
  expect(await runProgram(sh, ['-c', 'cat; echo no >&2; exit 3'], { input: 'in' })).toEqual({
    code: 3,
    stdout: 'in',
    stderr: 'no\n',
  })
  expect((await runProgram(sh, ['-c', 'exec sleep 60'], { timeoutMs: 50 })).code).toBe(-1)
})

test('the probe agrees with itself and leaves nothing behind', async () => {
  const facts = await probeHost({ dataDir })
  expect(facts.root).toBe(process.getuid?.() === 0)
  if (facts.root && facts.runtime && facts.conmon && facts.overlay && facts.nft) {
    expect(facts.reason).toBeUndefined()
    expect(fs.statSync(facts.runtime.path).isFile()).toBe(true)
    expect(facts.runtime.version).toMatch(/^\d+\.\d+/)
  } else {
    expect(facts.reason).toBeTruthy()
  }
  const tmp = path.join(dataDir, 'tmp')
  expect(fs.existsSync(tmp) ? fs.readdirSync(tmp) : []).toEqual([])
  expect(fs.readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(dataDir)
})
