import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TarError } from './errors.ts'
import { type TarHeader, writeTarHeader } from './tar-header.ts'
import { archiveOf, header, scan, twin } from './twin/archives.ts'
import { writeHeader } from './twin/tar-write.ts'

test('headers are those of the twin, byte for byte, and the scan gives back what was written', () => {
  fc.assert(
    fc.property(
      fc.array(header, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 5000 }),
      (headers, chunk) => {
        const archive = archiveOf(headers)
        expect(archive.equals(archiveOf(headers, writeHeader))).toBe(true)
        const entries = scan(archive, chunk)
        expect(entries).toEqual(twin(archive))
        expect(entries).toHaveLength(headers.length)
        for (const [i, { path, linkpath, type, xattrs, ...rest }] of headers.entries()) {
          const wanted = type === '5' && !`${path}`.endsWith('/') ? `${path}/` : `${path}`
          expect(Buffer.from(entries[i]!.path, 'latin1').toString()).toBe(wanted)
          expect(Buffer.from(entries[i]!.linkpath, 'latin1').toString()).toBe(linkpath ?? '')
          expect(entries[i]!.xattrs).toHaveLength(xattrs!.size)
          const { mtime, ...numbers } = rest
          expect(entries[i]).toMatchObject({ ...numbers, type })
          expect(Math.abs(entries[i]!.mtime - mtime!)).toBeLessThan(1e-6)
        }
      },
    ),
    { numRuns: 300 },
  )
})

test('what cannot be written is refused', () => {
  const code = (header: TarHeader) => {
    try {
      writeTarHeader(header)
    } catch (error) {
      return (error as TarError).code
    }
    return 'written'
  }
  expect(code({ path: '' })).toBe('path')
  expect(code({ path: 'a\0b' })).toBe('path')
  expect(code({ path: 'a', type: '2', linkpath: '\0' })).toBe('path')
  expect(code({ path: 'a', type: 'S' })).toBe('unsupported')
  expect(code({ path: 'a', uid: -1 })).toBe('number')
  expect(code({ path: 'a', size: 1.5 })).toBe('number')
  expect(code({ path: 'a', mtime: Number.NaN })).toBe('number')
  expect(code({ path: 'a', type: '3', devminor: 2 ** 21 })).toBe('number')
  expect(code({ path: 'a', xattrs: new Map([['a=b', new Uint8Array(1)]]) })).toBe('pax')
  expect(code({ path: 'a', xattrs: new Map([['user.x', new Uint8Array(1 << 20)]]) })).toBe('name-too-long')
  expect(code({ path: 'a'.repeat(2 << 20) })).toBe('name-too-long')
  expect(code({ path: 'a', size: Number.MAX_SAFE_INTEGER })).toBe('written')
})
