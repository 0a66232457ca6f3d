import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { describeErrno, SysError } from './errors.ts'
import { available, cstr } from './libc.ts'

const index = JSON.stringify(new URL('./index.ts', import.meta.url).href)
const run = (program: string) =>
  execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).trim()

describe('importing', () => {
  it('loads no foreign library', () => {
    const program = `
      import process from 'node:process'
      await import(${index})
      console.log(process.report.getReport().sharedObjects.filter((name) => name.includes('koffi')).length)`
    expect(run(program)).toBe('0')
  })

  it('works on another system, where the calls say what is missing', () => {
    const program = `
      Object.defineProperty(process, 'platform', { value: 'darwin' })
      const sys = await import(${index})
      console.log(sys.available().ok, sys.available().reason)
      try { sys.umount('/x') } catch (error) { console.log(error.name, error.code) }`
    expect(run(program)).toBe('false containers need Linux, this is darwin\nSysUnavailableError ENOSYS')
  })
})

describe('available', () => {
  it.runIf(process.platform === 'linux')('is so on Linux', () => {
    expect(available()).toEqual({ ok: true, reason: undefined })
  })
})

describe('cstr', () => {
  it('ends with NUL, keeps bytes, and refuses a NUL inside', () => {
    expect([...cstr('é')]).toEqual([0xc3, 0xa9, 0])
    expect([...cstr(Buffer.from([0xff]))]).toEqual([0xff, 0])
    expect(() => cstr('/etc/passwd\0.txt')).toThrow(/EINVAL/)
  })
})

describe('SysError', () => {
  it('is shaped like the errors of node:fs, and reads well', () => {
    const error = new SysError('mount', 1, { path: '/a', dest: '/b', detail: 'no' })
    expect(error).toMatchObject({ syscall: 'mount', errno: 1, code: 'EPERM', path: '/a', dest: '/b' })
    expect(error.message).toBe(
      'mount /a -> /b: operation not permitted (EPERM): no. This needs root (or the matching capability)',
    )
    expect(describeErrno(61).code).toBe('ENODATA')
    expect(describeErrno(9999).code).toBe('E9999')
  })
})
