import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isWhiteout, makeDevice, makeWhiteout, mkfifo, mknod, S_IF, splitDevice } from './nodes.ts'
import { isOpaque, lgetXattr, llistXattr, lremoveXattr, lsetXattr, setOpaque } from './xattr.ts'

const isRoot = process.getuid?.() === 0 && process.platform === 'linux'
if (!isRoot) console.log('nodes.test: devices and trusted attributes skipped, they need root on Linux')

let dir: string
const at = (name: string) => join(dir, name)
beforeEach(() => {
  dir = fs.mkdtempSync(join(tmpdir(), 'sys-nodes-'))
})
afterEach(() => fs.rmSync(dir, { recursive: true }))

describe('device numbers', () => {
  it.each([
    [0, 0],
    [1, 3],
    [8, 17],
    [259, 65_536 + 300],
    [4095, 1_048_575],
  ])('keep major %i and minor %i', (major, minor) => {
    expect(splitDevice(makeDevice(major, minor))).toEqual({ major, minor })
  })

  it.runIf(process.platform === 'linux')('are those that stat shows', () => {
    expect(splitDevice(fs.statSync('/dev/null').rdev)).toEqual({ major: 1, minor: 3 })
    expect(Number(makeDevice(1, 3))).toBe(fs.statSync('/dev/null').rdev)
  })
})

describe.runIf(process.platform === 'linux')('mkfifo', () => {
  it('makes a named pipe, also under a name that is not UTF-8', () => {
    const name = Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0x66, 0xff, 0xfe])])
    mkfifo(name, 0o600)
    expect(fs.lstatSync(name).isFIFO()).toBe(true)
    expect(() => mkfifo(name, 0o600)).toThrow(/EEXIST/)
    fs.unlinkSync(name)
  })
})

describe.runIf(isRoot)('mknod', () => {
  it('makes devices and whiteouts', () => {
    mknod(at('null'), S_IF.CHR | 0o600, 1, 3)
    fs.writeFileSync(at('null'), 'gone')
    expect(fs.readFileSync(at('null'), 'utf8')).toBe('')
    makeWhiteout(at('gone'))
    expect(isWhiteout(fs.lstatSync(at('gone')))).toBe(true)
    expect(isWhiteout(fs.lstatSync(at('gone'), { bigint: true }))).toBe(true)
    expect(isWhiteout(fs.lstatSync(at('null')))).toBe(false)
  })
})

describe.runIf(isRoot)('extended attributes', () => {
  it('are set, read, listed and removed', () => {
    fs.writeFileSync(at('f'), '')
    expect(lgetXattr(at('f'), 'trusted.a')).toBeUndefined()
    lsetXattr(at('f'), 'trusted.a', Buffer.from([0, 1, 255]))
    lsetXattr(at('f'), 'trusted.b', '')
    expect(lgetXattr(at('f'), 'trusted.a')).toEqual(Buffer.from([0, 1, 255]))
    expect(lgetXattr(at('f'), 'trusted.b')).toEqual(Buffer.alloc(0))
    expect(llistXattr(at('f')).sort()).toEqual(['trusted.a', 'trusted.b'])
    expect(lremoveXattr(at('f'), 'trusted.a')).toBe(true)
    expect(lremoveXattr(at('f'), 'trusted.a')).toBe(false)
  })

  it('may be longer than the first guess', () => {
    fs.writeFileSync(at('f'), '')
    const value = Buffer.alloc(1500, 'v')
    lsetXattr(at('f'), 'trusted.long', value)
    expect(lgetXattr(at('f'), 'trusted.long')).toEqual(value)
  })

  it('belong to a link itself, not to what it points to', () => {
    fs.writeFileSync(at('f'), '')
    fs.symlinkSync('f', at('link'))
    lsetXattr(at('link'), 'trusted.a', 'link')
    expect(lgetXattr(at('f'), 'trusted.a')).toBeUndefined()
    expect(String(lgetXattr(at('link'), 'trusted.a'))).toBe('link')
  })

  it('mark opaque directories', () => {
    expect(isOpaque(dir)).toBe(false)
    setOpaque(dir)
    expect(isOpaque(dir)).toBe(true)
  })

  it('fail with the name of the file', () => {
    expect(() => lgetXattr(at('none'), 'trusted.a')).toThrow(/lgetxattr .*none.*ENOENT/)
    expect(() => lsetXattr(at('none'), 'trusted.a', '')).toThrow(/ENOENT/)
  })
})
