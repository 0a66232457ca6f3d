import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LockHeldError, lockFile } from './lock-file.ts'

const isLinux = process.platform === 'linux'
if (!isLinux) console.log('lock-file.test: skipped, foreign calls are for Linux only')

describe.runIf(isLinux)('lockFile', () => {
  let dir: string
  let path: string
  beforeEach(() => {
    dir = fs.mkdtempSync(join(tmpdir(), 'sys-lock-'))
    path = join(dir, 'lock')
  })
  afterEach(() => fs.rmSync(dir, { recursive: true }))

  it('is held until it is closed, and can be taken again', () => {
    const lock = lockFile(path)
    expect(fs.readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
    expect(fs.statSync(path).mode & 0o777).toBe(0o600)
    expect(() => lockFile(path)).toThrow(`locked by process ${process.pid}`)
    lock.close()
    lock.close()
    lockFile(path).close()
  })

  it('names the other process, and falls free when that is killed', async () => {
    const program = `
      import { lockFile } from ${JSON.stringify(new URL('./lock-file.ts', import.meta.url).href)}
      lockFile(process.argv[1])
      console.log('held')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      await once(child.stdout, 'data')
      try {
        lockFile(path)
        expect.unreachable('the lock was taken twice')
      } catch (error) {
        expect(error).toBeInstanceOf(LockHeldError)
        expect((error as LockHeldError).pid).toBe(child.pid)
      }
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    lockFile(path).close()
  })

  it('is not handed to programs that are started meanwhile', async () => {
    const lock = lockFile(path)
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' })
    await once(child, 'spawn')
    lock.close()
    try {
      lockFile(path).close()
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })
})
