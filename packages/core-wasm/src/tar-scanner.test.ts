import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { pack } from 'tar-stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TarError } from './errors.ts'
import { TAR_END, tarPadding, writeTarHeader } from './tar-header.ts'
import { scanTarFile, TarScanner } from './tar-scanner.ts'
import { archiveOf, header, outcome, rows, scan, seal, twin } from './twin/archives.ts'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'core-wasm-tar-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

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
