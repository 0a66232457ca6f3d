import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { pack } from 'tar-stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TarError } from './errors.ts'
import type { TarEntries } from './tar-entries.ts'
import { TAR_END, type TarHeader, tarPadding, writeTarHeader } from './tar-header.ts'
import { scanTarFile, TarScanner } from './tar-scanner.ts'
import { scanTar, type TwinEntry } from './twin/tar-scan.ts'
import { writeHeader } from './twin/tar-write.ts'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'core-wasm-tar-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function rows(entries: TarEntries): TwinEntry[] {
  const { columns } = entries
  return Array.from({ length: entries.count }, (_, i) => ({
    path: entries.pathBytes(i).toString('latin1'),
    linkpath: entries.linkpathBytes(i).toString('latin1'),
    type: entries.type(i),
    mode: columns.mode[i]!,
    uid: columns.uid[i]!,
    gid: columns.gid[i]!,
    size: columns.size[i]!,
    mtime: columns.mtime[i]!,
    devmajor: columns.devmajor[i]!,
    devminor: columns.devminor[i]!,
    dataOffset: columns.dataOffset[i]!,
    xattrs: [...(entries.xattrs(i) ?? [])].map(([key, value]) => [key, value.toString('latin1')]),
  }))
}

function scan(archive: Buffer, chunk = archive.length || 1): TwinEntry[] {
  const scanner = new TarScanner()
  for (let at = 0; at < archive.length; at += chunk) scanner.push(archive.subarray(at, at + chunk))
  return rows(scanner.end())
}

/** What came of a scan: its rows, or the error's code and place. */
function outcome(run: () => TwinEntry[]): unknown {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof TarError) || error.code === 'internal') throw error
    return { code: error.code, offset: error.offset }
  }
}

// The twin keeps every record; of two with one name the last one counts.
function twin(archive: Buffer): TwinEntry[] {
  const text = (latin1: string) => Buffer.from(latin1, 'latin1').toString()
  return scanTar(archive).map((entry) => ({
    ...entry,
    xattrs: [...new Map(entry.xattrs.map(([key, value]) => [text(key), value]))],
  }))
}

function archiveOf(headers: TarHeader[], write = writeTarHeader): Buffer {
  const parts = headers.map((header) => {
    const size = header.size ?? 0
    return Buffer.concat([write(header), Buffer.alloc(size, 'data'), Buffer.alloc(tarPadding(size))])
  })
  return Buffer.concat([...parts, TAR_END])
}

// Sets a header's checksum right after its bytes were changed.
function seal(archive: Buffer, block: number): void {
  archive.fill(32, block + 148, block + 156)
  const sum = archive.subarray(block, block + 512).reduce((a, b) => a + b, 0)
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, block + 148, 'latin1')
}

const word = fc.string({
  unit: fc.constantFrom('a', 'B', '.', '-', 'é', '文', ' ', '😀', '/'),
  minLength: 1,
  maxLength: 60,
})
const path = fc.oneof(
  fc
    .array(fc.constantFrom('usr', 'lib', 'x'.repeat(90), 'y'.repeat(40), 'é'), { minLength: 1, maxLength: 6 })
    .map((p) => p.join('/')),
  word,
)
const xattrs = fc
  .dictionary(fc.constantFrom('user.a', 'user.ü', 'security.capability'), fc.uint8Array({ maxLength: 40 }))
  .map((all) => new Map(Object.entries(all)))
const seconds = fc.oneof(
  fc.constantFrom(0, 1700000000, 8589934591, 8589934592, -1, -1.5, 1700000000.25, 0.999999999),
  fc.integer({ min: 0, max: 2 ** 33 }),
  fc.double({ min: -1e9, max: 1e10, noNaN: true }),
)
const owner = fc.constantFrom(0, 1000, 0o7777777, 0o10000000, 2 ** 32 - 1)
const base = { path, mode: fc.nat(0o7777), uid: owner, gid: owner, mtime: seconds, xattrs }
const header: fc.Arbitrary<TarHeader> = fc.oneof(
  fc.record({ ...base, type: fc.constant('0'), size: fc.nat(2000) }),
  fc.record({ ...base, type: fc.constant('5') }),
  fc.record({ ...base, type: fc.constantFrom('1', '2'), linkpath: path }),
  fc.record({
    ...base,
    type: fc.constantFrom('3', '4'),
    devmajor: fc.nat(2 ** 21 - 1),
    devminor: fc.nat(255),
  }),
  fc.record({ ...base, type: fc.constant('6') }),
)

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

test('archives of tar-stream', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(header, { minLength: 1, maxLength: 6 }), async (headers) => {
      const TYPES = [
        'file',
        'link',
        'symlink',
        'character-device',
        'block-device',
        'directory',
        'fifo',
      ] as const
      const writer = pack()
      for (const header of headers) header.mode ||= 0o644 // tar-stream takes 0 for not told
      for (const { path, linkpath, type, mode, uid, gid, size } of headers) {
        const body = type === '0' ? [Buffer.alloc(size!)] : []
        const name = `${path}`.replace(/\/+$/, '') || 'x'
        writer.entry(
          {
            name,
            linkname: linkpath as string,
            type: TYPES[Number(type)]!,
            mode,
            uid: uid! % 2 ** 21,
            gid: gid! % 2 ** 21,
          },
          ...(body as [Buffer]),
        )
      }
      writer.finalize()
      const archive = await buffer(writer)
      const entries = scan(archive, 777)
      expect(entries).toEqual(twin(archive))
      expect(entries.map(({ mode, type }) => ({ mode, type }))).toEqual(
        headers.map(({ mode, type }) => ({ mode, type })),
      )
    }),
    { numRuns: 100 },
  )
})

test('archives of GNU tar in every format, from a file and in chunks', () => {
  const root = join(dir, 'root')
  const deep = join(root, 'd'.repeat(60), 'e'.repeat(60), 'f'.repeat(60))
  mkdirSync(deep, { recursive: true })
  writeFileSync(join(deep, 'deep'), 'deep')
  writeFileSync(join(root, 'plain'), Buffer.alloc(700_000, 7))
  writeFileSync(join(root, `nämé-${'long'.repeat(40)}`), 'x')
  symlinkSync('t'.repeat(150), join(root, 'link'))
  execFileSync('mkfifo', [join(root, 'pipe')])
  execFileSync('ln', [join(root, 'plain'), join(root, 'hard')])
  execFileSync('mknod', [join(root, 'null'), 'c', '1', '3'])
  for (const format of ['v7', 'ustar', 'gnu', 'pax']) {
    const file = join(dir, `${format}.tar`)
    const limits =
      format === 'v7'
        ? ['--exclude=n*-long*', '--exclude=link', '--exclude=d*', '--exclude=pipe', '--exclude=null']
        : format === 'ustar'
          ? ['--exclude=n*-long*', '--exclude=link']
          : []
    execFileSync('tar', [
      '-cf',
      file,
      `--format=${format}`,
      '--numeric-owner',
      '--sort=name',
      ...limits,
      '-C',
      root,
      '.',
    ])
    const listed = execFileSync('tar', ['tf', file, '--quoting-style=literal'])
      .toString('latin1')
      .trim()
      .split('\n')
    const archive = execFileSync('cat', [file], { maxBuffer: 1 << 30 })
    const entries = rows(scanTarFile(file))
    expect(entries.map((entry) => entry.path)).toEqual(listed)
    expect(entries).toEqual(twin(archive))
    expect(entries).toEqual(scan(archive, 1000))
    const device = entries.find((entry) => entry.path === './null')
    if (format !== 'v7') expect(device).toMatchObject({ type: '3', devmajor: 1, devminor: 3 })
  }
})

test('sparse files of GNU and pax are refused by name', () => {
  const file = join(dir, 'holes')
  writeFileSync(file, 'x')
  truncateSync(file, 10 << 20)
  for (const format of ['gnu', 'pax']) {
    const archive = execFileSync('tar', ['-c', '--sparse', `--format=${format}`, '-C', dir, 'holes'])
    expect(() => scan(archive)).toThrow('sparse files are not supported')
    expect(outcome(() => scan(archive))).toEqual(outcome(() => twin(archive)))
  }
})

test('sizes beyond eight gigabytes, in base-256 and in pax', () => {
  const size = 2 ** 40 + 1
  const [written] = scan(Buffer.concat([archiveOf([{ path: 'a' }]).subarray(0, 512), TAR_END]))
  expect(written!.size).toBe(0)
  const pax = writeTarHeader({ path: 'big', size })
  expect(outcome(() => scan(pax))).toMatchObject({ code: 'truncated', offset: pax.length + 2 ** 40 + 512 })
  const gnu = writeTarHeader({ path: 'big' })
  gnu.fill(0, 124, 136)
  gnu[124] = 0x80
  gnu.writeBigUInt64BE(BigInt(size), 128)
  seal(gnu, 0)
  expect(outcome(() => scan(gnu))).toMatchObject({ code: 'truncated', offset: 2 ** 40 + 1024 })
})

test('global pax headers hold until they are replaced or cleared', () => {
  const extended = (flag: string, ...records: string[]) => {
    const body = records.map((r) => `${r.length + (r.length > 6 ? 4 : 3)} ${r}\n`).join('')
    const block = writeTarHeader({ path: 'pax', size: body.length })
    block.write(flag, 156)
    seal(block, 0)
    return Buffer.concat([block, Buffer.from(body), Buffer.alloc(tarPadding(body.length))])
  }
  const file = (path: string) => writeTarHeader({ path, uid: 5, mtime: 9 })
  const archive = Buffer.concat([
    extended('g', 'mtime=1.5', 'uid=77', 'comment=none'),
    file('a'),
    extended('x', 'uid=88', 'mtime='),
    file('b'),
    file('c'),
    extended('g', 'uid=', 'gid=12'),
    file('d'),
    TAR_END,
  ])
  const entries = scan(archive)
  expect(entries.map(({ path, uid, gid, mtime }) => [path, uid, gid, mtime])).toEqual([
    ['a', 77, 0, 1.5],
    ['b', 88, 0, 9],
    ['c', 77, 0, 1.5],
    ['d', 5, 12, 1.5],
  ])
  expect(entries).toEqual(twin(archive))
  expect(() => scan(Buffer.concat([extended('g', 'SCHILY.xattr.user.x=1'), TAR_END]))).toThrow(TarError)
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

test('more entries than rows of the scanner, and the limits', () => {
  const archive = archiveOf(
    Array.from({ length: 20_000 }, (_, i) => ({ path: `${'p'.repeat(300)}/${i}`, size: i % 3 })),
  )
  expect(scan(archive, 1 << 20)).toEqual(twin(archive))
  for (const limits of [{ maxEntries: 19_999 }, { maxNameBytes: 1 << 20 }]) {
    const scanner = new TarScanner(limits)
    expect(() => {
      scanner.push(archive)
      scanner.end()
    }).toThrow('the archive')
    expect(() => scanner.end()).toThrow(TarError)
  }
})

test('a failed scanner stays failed, and the next one is sound', () => {
  const scanner = new TarScanner()
  expect(() => scanner.push(Buffer.alloc(512, 'no tar'))).toThrow('no tar archive')
  expect(() => scanner.push(Buffer.alloc(512))).toThrow('no tar archive')
  expect(() => scanner.end()).toThrow('no tar archive')
  expect(scan(archiveOf([{ path: 'a' }]))).toHaveLength(1)
})

interface Mutation {
  kind: 'flip' | 'cut' | 'digits' | 'flag' | 'block'
  at: number
  value: number
  sealed: boolean
}

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('flip', 'flip', 'cut', 'digits', 'flag', 'block'),
  at: fc.nat(),
  value: fc.nat(255),
  sealed: fc.boolean(),
})

function mutate(archive: Buffer, { kind, at, value, sealed }: Mutation): Buffer {
  const block = (at % (archive.length / 512)) * 512
  if (kind === 'cut') return archive.subarray(0, at % archive.length)
  if (kind === 'flip') archive[at % archive.length]! ^= value
  if (kind === 'flag') archive[block + 156] = 'xgLKSMVX\x0012345670'.charCodeAt(value % 16)
  if (kind === 'block') archive.fill(value % 3 ? 0 : value, block, block + 512)
  if (kind === 'digits') archive[block + [100, 108, 116, 124, 136, 329, 130][at % 7]! + (value % 8)] = value
  if (sealed) seal(archive, block - (block % 512))
  return archive
}

test('hostile archives give the entries or the error of the twin', () => {
  let failed = 0
  let read = 0
  fc.assert(
    fc.property(
      fc.array(header, { minLength: 1, maxLength: 5 }),
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 3000 }),
      (headers, mutations, chunk) => {
        let archive = archiveOf(headers)
        for (const each of mutations)
          if (archive.length >= 512 && archive.length % 512 === 0) archive = mutate(archive, each)
        const result = outcome(() => scan(archive, chunk))
        expect(result).toEqual(outcome(() => twin(archive)))
        if (Array.isArray(result)) read++
        else failed++
      },
    ),
    { numRuns: 3000 },
  )
  expect(read).toBeGreaterThan(100)
  expect(failed).toBeGreaterThan(100)
})

test('hostile extended headers give the entries or the error of the twin', () => {
  const piece = fc.constantFrom(
    'path=a',
    'path=',
    'size=9',
    'size=-1',
    'uid=1',
    'gid=99999999999',
    'mtime=1.',
    'mtime=-2.5',
    'mtime=.5',
    'mtime=1e3',
    'linkpath=x\0',
    'GNU.sparse.map=1',
    'SCHILY.xattr.a=b',
    'SCHILY.xattr.=b',
    'SCHILY.xattr.é==',
    '=',
    'x',
    'path',
    '',
  )
  const record = fc.oneof(
    {
      weight: 5,
      arbitrary: piece.map(
        (text) => `${Buffer.byteLength(text) + (Buffer.byteLength(text) + 4 > 9 ? 4 : 3)} ${text}\n`,
      ),
    },
    { weight: 1, arbitrary: fc.tuple(fc.nat(30), piece).map(([n, text]) => `${n} ${text}\n`) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '99999999999999999999 a=b\n',
        '0000000000000000007 a=b\n',
        '-5 a=b\n',
        ' \n',
        '5 a=b',
      ),
    },
  )
  const extended = fc
    .tuple(fc.constantFrom('x', 'g', 'L', 'K', 'X'), fc.array(record, { maxLength: 5 }))
    .map(([flag, records]) => {
      const body = Buffer.from(records.join(''))
      const block = writeTarHeader({ path: 'p', size: body.length })
      block.write(flag, 156)
      seal(block, 0)
      return Buffer.concat([block, body, Buffer.alloc(tarPadding(body.length))])
    })
  const plain = fc
    .constantFrom('0', '1', '2', '5')
    .map((type) => writeTarHeader({ path: 'file', type, linkpath: 't' }))
  fc.assert(
    fc.property(
      fc.array(fc.oneof(extended, plain), { maxLength: 6 }),
      fc.integer({ min: 1, max: 2000 }),
      (parts, chunk) => {
        const archive = Buffer.concat([...parts, TAR_END])
        expect(outcome(() => scan(archive, chunk))).toEqual(outcome(() => twin(archive)))
      },
    ),
    { numRuns: 3000 },
  )
})

test('random bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.boolean(), (bytes, sealed) => {
      const archive = Buffer.from(bytes)
      if (sealed && archive.length >= 512) seal(archive, 0)
      expect(outcome(() => scan(archive, 600))).toEqual(outcome(() => twin(archive)))
    }),
    { numRuns: 1000 },
  )
})
