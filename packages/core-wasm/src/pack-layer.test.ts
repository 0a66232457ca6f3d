import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TarError } from './errors.ts'
import { type PackLayerOptions, packLayer } from './pack-layer.ts'
import type { TarEntries } from './tar-entries.ts'
import { scanTarFile } from './tar-scanner.ts'

let dir = ''
let root = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'core-wasm-pack-'))
  root = join(dir, 'root')
  mkdirSync(join(root, 'a/deep'), { recursive: true })
  writeFileSync(join(root, 'a/file'), 'hello')
  chmodSync(join(root, 'a/file'), 0o4755)
  linkSync(join(root, 'a/file'), join(root, 'a/hard'))
  writeFileSync(join(root, 'a-b'), Buffer.alloc(3_000_000, 'abcdefg'))
  writeFileSync(Buffer.concat([Buffer.from(`${root}/a/deep/`), Buffer.from([0x66, 0xff, 0xfe])]), 'odd')
  symlinkSync('/etc/passwd', join(root, 'link'))
  execFileSync('mkfifo', [join(root, 'pipe')])
  execFileSync('mknod', [join(root, 'disk'), 'b', '259', '70000'])
  execFileSync('mknod', [join(root, 'a/gone'), 'c', '0', '0'])
  for (const path of ['a/file', 'a-b', 'a/deep', 'a', '.']) utimesSync(join(root, path), 1000, 1700000000.9)
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

async function pack(options: Partial<PackLayerOptions> = {}) {
  const out = join(dir, 'out.tar')
  const packed = await packLayer({ root, out, ...options })
  return { out, packed, bytes: readFileSync(out) }
}

const paths = (entries: TarEntries) => Array.from({ length: entries.count }, (_, i) => entries.path(i))
const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

test('a folder becomes a layer that tar unpacks to the same tree', async () => {
  const { out, packed, bytes } = await pack()
  expect(packed).toEqual({ digest: sha256(bytes), diffId: sha256(bytes), size: bytes.length, entries: 10 })
  const entries = scanTarFile(out)
  expect(paths(entries)).toEqual([
    'a/',
    'a/deep/',
    'a/deep/f\ufffd\ufffd',
    'a/file',
    'a/gone',
    'a/hard',
    'a-b',
    'disk',
    'link',
    'pipe',
  ])
  const copy = join(dir, 'copy')
  mkdirSync(copy)
  execFileSync('tar', ['xpf', out, '-C', copy])
  const diff = spawnSync('diff', ['-r', '--no-dereference', join(root, 'a'), join(copy, 'a')])
  expect(`${diff.stdout}${diff.stderr}`).toBe('')
  expect(readFileSync(join(copy, 'a-b')).equals(readFileSync(join(root, 'a-b')))).toBe(true)
  expect(statSync(join(copy, 'a/file')).ino).toBe(statSync(join(copy, 'a/hard')).ino)
  expect(statSync(join(copy, 'a/file')).mode).toBe(0o104755)
  expect(statSync(join(copy, 'a/deep')).mtimeMs).toBe(1700000000000)
  expect(statSync(join(copy, 'disk')).rdev).toBe(statSync(join(root, 'disk')).rdev)
})

test('gzip has its own digest, and the same diff id', async () => {
  const plain = await pack()
  const { packed, bytes } = await pack({ gzip: true })
  expect(packed.digest).toBe(sha256(bytes))
  expect(packed.size).toBe(bytes.length)
  expect(packed.diffId).toBe(plain.packed.diffId)
  expect(gunzipSync(bytes).equals(plain.bytes)).toBe(true)
  expect((await pack({ gzip: true })).packed).toEqual(packed)
})

test('without waiting for the disk it is the same file', async () => {
  const { bytes } = await pack()
  expect((await pack({ sync: false })).bytes.equals(bytes)).toBe(true)
})

test('an upper folder becomes whiteouts and opaque folders', async () => {
  const { out } = await pack({ mapWhiteouts: true, opaque: ['a/deep/', '.'] })
  const entries = scanTarFile(out)
  expect(paths(entries).slice(0, 7)).toEqual([
    '.wh..wh..opq',
    'a/',
    'a/.wh.gone',
    'a/deep/',
    'a/deep/.wh..wh..opq',
    'a/deep/f\ufffd\ufffd',
    'a/file',
  ])
  expect(entries.type(2)).toBe('0')
})

test('prefix, chosen entries, owner, times and extended attributes', async () => {
  const { out } = await pack({
    prefix: '/srv/app/',
    entries: ['a/deep', 'link', 'nothing'],
    owner: { uid: 7, gid: 8 },
    mtimeClamp: 1_500_000_000,
    xattrs: new Map([['a', new Map([['user.ü', Buffer.from([0, 10, 255])]])]]),
  })
  const entries = scanTarFile(out)
  expect(paths(entries)).toEqual([
    'srv/app/',
    'srv/app/a/',
    'srv/app/a/deep/',
    'srv/app/a/deep/f\ufffd\ufffd',
    'srv/app/link',
  ])
  expect([...entries.columns.uid, ...entries.columns.gid]).toEqual([7, 7, 7, 7, 7, 8, 8, 8, 8, 8])
  expect(Math.max(...entries.columns.mtime)).toBe(1_500_000_000)
  expect(entries.xattrs(1)?.get('user.ü')).toEqual(Buffer.from([0, 10, 255]))
  expect(entries.linkpath(4)).toBe('/etc/passwd')
  await expect(pack({ prefix: '../x' })).rejects.toThrow('must not hold ".."')
  await expect(pack({ entries: ['a/../..'] })).rejects.toThrow('must not hold ".."')
})

test('what is to be left out stays out, with all below it', async () => {
  const { out } = await pack({ leaveOut: ['a/deep', '/a-b', 'pip'] })
  expect(paths(scanTarFile(out))).toEqual(['a/', 'a/file', 'a/gone', 'a/hard', 'disk', 'link', 'pipe'])
})

test('sockets are left out, and names of whiteouts are refused', async () => {
  const odd = join(dir, 'odd')
  mkdirSync(odd)
  const server = createServer().listen(join(odd, 'socket'))
  await new Promise((resolve) => server.once('listening', resolve))
  expect(paths(scanTarFile((await pack({ root: odd })).out))).toEqual([])
  await new Promise((resolve) => server.close(resolve))
  writeFileSync(join(odd, '.wh.x'), '')
  await expect(pack({ root: odd })).rejects.toThrow(TarError)
  await expect(pack({ root: join(dir, 'missing') })).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a full disk ends a compressed layer with its error', async () => {
  await expect(packLayer({ root, out: '/dev/full', gzip: true })).rejects.toMatchObject({ code: 'ENOSPC' })
  await expect(packLayer({ root, out: '/dev/full' })).rejects.toMatchObject({ code: 'ENOSPC' })
})

test('two layers at once do not mix', async () => {
  const other = join(dir, 'other')
  mkdirSync(other)
  for (let i = 0; i < 3000; i++) writeFileSync(join(other, `file-${i}`), `${i}`.repeat(200))
  const alone = await pack({ root: other })
  const [a, b] = await Promise.all([
    packLayer({ root: other, out: join(dir, 'one.tar'), gzip: true }),
    packLayer({ root, out: join(dir, 'two.tar'), gzip: true }),
  ])
  expect(a.diffId).toBe(alone.packed.diffId)
  expect(b.diffId).toBe((await pack()).packed.diffId)
})

test('a file that grows meanwhile is cut at the size that its header tells', async () => {
  const growing = join(dir, 'growing')
  mkdirSync(growing)
  const file = join(growing, 'log')
  writeFileSync(file, Buffer.alloc(16 << 20, 1))
  const packing = packLayer({ root: growing, out: join(dir, 'grown.tar'), gzip: true })
  await new Promise(setImmediate) // by now the header is written, and most of the data is not read
  appendFileSync(file, 'more')
  await packing
  const plain = join(dir, 'grown-plain.tar')
  writeFileSync(plain, gunzipSync(readFileSync(join(dir, 'grown.tar'))))
  expect([...scanTarFile(plain).columns.size]).toEqual([16 << 20])
})

test('a file that shrinks meanwhile is refused', async () => {
  const shrinking = join(dir, 'shrinking')
  mkdirSync(shrinking)
  const file = join(shrinking, 'log')
  writeFileSync(file, Buffer.alloc(16 << 20, 1))
  const packing = packLayer({ root: shrinking, out: join(dir, 'shrunk.tar'), gzip: true })
  await new Promise(setImmediate)
  truncateSync(file, 1000)
  await expect(packing).rejects.toThrow('became shorter')
})
