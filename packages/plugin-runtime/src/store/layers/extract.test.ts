import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { isOpaque, isWhiteout, lgetXattr, splitDevice } from '@kernel/sys'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { describeWhere, type Item, isRoot, tarOf, temporaryFolder } from '../testing/fixture.ts'
import { jobs } from './jobs.ts'

let dir = ''
let remove = () => {}
beforeEach(() => {
  ;({ dir, remove } = temporaryFolder())
})
afterEach(() => remove())

const at = (path: string) => join(dir, 'fs', path)
const read = (path: string) => fs.readFileSync(at(path), 'utf8')

async function unpack(tar: Buffer, more: { limits?: { entries: number; bytes: number } } = {}) {
  fs.rmSync(join(dir, 'fs'), { recursive: true, force: true })
  fs.mkdirSync(join(dir, 'fs'))
  fs.writeFileSync(join(dir, 'tar'), tar)
  const job = {
    source: { file: join(dir, 'tar') },
    target: join(dir, 'fs'),
    scratch: join(dir, 'scratch'),
    recipe: join(dir, 'recipe'),
    ...more,
  }
  return jobs.unpack(job, () => {})
}

/** What the recipe makes of the unpacked layer. */
async function rebuilt(diffId: string): Promise<Buffer> {
  const job = {
    diffId: diffId as never,
    recipe: join(dir, 'recipe'),
    layer: join(dir, 'fs'),
    out: join(dir, 'out'),
  }
  await jobs.assemble(job, () => {})
  return fs.readFileSync(join(dir, 'out'))
}

describeWhere(isRoot, 'root', 'unpacking a layer', () => {
  test('keeps kind, owner, mode, time, attributes and second names', async () => {
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex')
    await unpack(
      tarOf(
        { path: 'd', type: '5', mode: 0o1777, uid: 5, gid: 6, mtime: 1000 },
        { path: 'd/f', data: 'hello', mode: 0o4750, uid: 7, gid: 8, mtime: 1234.5 },
        { path: 'd/ping', data: 'x', xattrs: new Map([['security.capability', capability]]) },
        { path: 'l', type: '2', linkpath: '/etc/passwd', mtime: 99, uid: 9 },
        { path: 'h', type: '1', linkpath: 'd/f' },
        { path: 'null', type: '3', mode: 0o666, devmajor: 1, devminor: 3 },
        { path: 'pipe', type: '6', mode: 0o622 },
      ),
    )
    const file = fs.statSync(at('d/f'))
    expect([file.mode & 0o7777, file.uid, file.gid, file.mtimeMs]).toEqual([0o4750, 7, 8, 1_234_500])
    expect(read('d/f')).toBe('hello')
    expect(fs.statSync(at('h')).ino).toBe(file.ino)
    const folder = fs.statSync(at('d'))
    expect([folder.mode & 0o7777, folder.uid, folder.gid, folder.mtimeMs]).toEqual([0o1777, 5, 6, 1_000_000])
    expect(fs.readlinkSync(at('l'))).toBe('/etc/passwd')
    expect([fs.lstatSync(at('l')).uid, fs.lstatSync(at('l')).mtimeMs]).toEqual([9, 99_000])
    expect(splitDevice(fs.statSync(at('null')).rdev)).toEqual({ major: 1, minor: 3 })
    expect(fs.statSync(at('null')).mode & 0o777).toBe(0o666)
    expect(fs.statSync(at('pipe')).isFIFO()).toBe(true)
    expect(lgetXattr(at('d/ping'), 'security.capability')).toEqual(capability)
  })

  test('turns whiteouts into what overlayfs reads', async () => {
    await unpack(
      tarOf(
        { path: 'a/.wh.gone' },
        { path: 'b/.wh..wh..opq' },
        { path: 'b/new', data: 'n' },
        { path: '.wh.both' },
        { path: 'both/x', data: 'x' },
        { path: 'replaced', data: 'file' },
        { path: '.wh.replaced' },
        { path: '.wh..wh.plnk/1.2', data: 'aufs' },
      ),
    )
    expect(isWhiteout(fs.lstatSync(at('a/gone')))).toBe(true)
    expect(isOpaque(at('b'))).toBe(true)
    expect(isOpaque(at('both'))).toBe(true)
    expect(read('both/x')).toBe('x')
    expect(read('replaced')).toBe('file')
    expect(fs.readdirSync(at('')).sort()).toEqual(['.wh..wh.plnk', 'a', 'b', 'both', 'replaced'].sort())
  })

  test('the last entry of a path counts', async () => {
    const tar = tarOf(
      { path: 'x', data: 'first' },
      { path: 'x', data: 'second' },
      { path: 'd/in', data: 'lost' },
      { path: 'd', data: 'a file now' },
      { path: 'f', data: 'a folder soon' },
      { path: 'f', type: '5' },
      { path: 'f/in', data: 'kept' },
    )
    const { diffId } = await unpack(tar)
    expect([read('x'), read('d'), read('f/in')]).toEqual(['second', 'a file now', 'kept'])
    expect((await rebuilt(diffId)).equals(tar)).toBe(true)
  })

  const escapes: [string, Item[]][] = [
    ['a path of ..', [{ path: '../escaped', data: 'x' }]],
    ['a path of many ..', [{ path: 'a/../../escaped', data: 'x' }]],
    [
      'a link to a folder outside',
      [
        { path: 'l', type: '2', linkpath: '../..' },
        { path: 'l/escaped', data: 'x' },
      ],
    ],
    [
      'an absolute link',
      [
        { path: 'l', type: '2', linkpath: '%OUT%' },
        { path: 'l/escaped', data: 'x' },
      ],
    ],
    [
      'a link replaced by a file',
      [
        { path: 'l', type: '2', linkpath: '%OUT%/escaped' },
        { path: 'l', data: 'x' },
      ],
    ],
    [
      'a second name of a file outside',
      [
        { path: 'h', type: '1', linkpath: '../secret' },
        { path: 'h', data: 'x' },
      ],
    ],
    [
      'a second name through a link',
      [
        { path: 'l', type: '2', linkpath: '%OUT%' },
        { path: 'h', type: '1', linkpath: 'l/secret' },
      ],
    ],
    ['a whiteout of ..', [{ path: '.wh...' }]],
    ['a whiteout through a link', [{ path: 'l', type: '2', linkpath: '%OUT%' }, { path: 'l/.wh.secret' }]],
    [
      'an opaque mark through a link',
      [{ path: 'l', type: '2', linkpath: '%OUT%' }, { path: 'l/.wh..wh..opq' }],
    ],
    [
      'a folder over a link',
      [
        { path: 'l', type: '2', linkpath: '%OUT%' },
        { path: 'l', type: '5', mode: 0o777 },
      ],
    ],
    [
      'a folder outside by link',
      [
        { path: 'l', type: '2', linkpath: '%OUT%' },
        { path: 'l/new', type: '5' },
      ],
    ],
  ]
  test.each(escapes)('%s does not lead out', async (_, items) => {
    fs.writeFileSync(join(dir, 'secret'), 'untouched', { mode: 0o600 })
    const made = items.map((item) => ({
      ...item,
      linkpath: String(item.linkpath ?? '').replace('%OUT%', dir),
    }))
    const before = listing()
    await unpack(tarOf(...made)).catch((error: Error) => {
      expect(error.message).toMatch(/leads? out|impossible|ENOENT|no such file/)
    })
    expect(fs.readFileSync(join(dir, 'secret'), 'utf8')).toBe('untouched')
    expect(fs.statSync(join(dir, 'secret')).nlink).toBe(1)
    expect(listing()).toEqual(before)
    expect(isOpaque(dir)).toBe(false)
  })

  /** What lies beside the layer, and the folder's own rights. */
  function listing() {
    const own = ['fs', 'tar', 'scratch', 'recipe', 'out']
    return [fs.statSync(dir).mode, ...fs.readdirSync(dir).filter((name) => !own.includes(name))]
  }

  test('what overlayfs would follow into other layers is left out', async () => {
    const xattrs = new Map([
      ['trusted.overlay.redirect', Buffer.from('/other')],
      ['user.overlay.redirect', Buffer.from('/other')],
      ['user.note', Buffer.from('fine')],
    ])
    await unpack(tarOf({ path: 'd', type: '5', xattrs }))
    expect(lgetXattr(at('d'), 'trusted.overlay.redirect')).toBeUndefined()
    expect(lgetXattr(at('d'), 'user.overlay.redirect')).toBeUndefined()
    expect(lgetXattr(at('d'), 'user.note')?.toString()).toBe('fine')
  })

  test('limits hold, also for what a small file decompresses to', async () => {
    const limits = { entries: 2, bytes: 5000 }
    const small = tarOf({ path: 'a', data: 'x' }, { path: 'b' })
    await unpack(small, { limits })
    const many = tarOf({ path: 'a' }, { path: 'b' }, { path: 'c' })
    await expect(unpack(many, { limits })).rejects.toThrow(/more than 2|over 2/)
    const bomb = gzipSync(tarOf({ path: 'a', data: Buffer.alloc(100_000) }))
    await expect(unpack(bomb, { limits })).rejects.toThrow('over 5000 bytes')
    expect(fs.existsSync(join(dir, 'scratch'))).toBe(false)
  })

  test('damaged and foreign data is refused', async () => {
    const tar = tarOf({ path: 'a', data: 'x'.repeat(3000) })
    await expect(unpack(tar.subarray(0, 1500))).rejects.toThrow('invalid')
    await expect(unpack(Buffer.from('no tar at all'.repeat(100)))).rejects.toThrow('invalid')
    await expect(unpack(gzipSync(tar).subarray(0, 60))).rejects.toThrow('damaged')
  })

  test.each([
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
    ['bzip2', (tar: Buffer) => execFileSync('bzip2', ['-c'], { input: tar })],
    ['xz', (tar: Buffer) => execFileSync('xz', ['-c'], { input: tar })],
  ])('%s is told by its first bytes; the diff id is that of the plain tar', async (_, compress) => {
    const tar = tarOf({ path: 'a', data: 'content '.repeat(10_000) })
    const { diffId, tarSize } = await unpack(compress(tar))
    expect(diffId).toBe(`sha256:${createHash('sha256').update(tar).digest('hex')}`)
    expect(tarSize).toBe(tar.length)
    expect(read('a')).toBe('content '.repeat(10_000))
  })

  test('a name that is no text stays what it is', async () => {
    const name = Buffer.from([0x66, 0xff, 0xfe, 0x67])
    const tar = tarOf({ path: name, data: 'bytes' })
    const { diffId } = await unpack(tar)
    expect(fs.readdirSync(at(''), { encoding: 'buffer' })).toEqual([name])
    expect((await rebuilt(diffId)).equals(tar)).toBe(true)
  })

  test('a recipe gives any tar again, byte for byte', async () => {
    fs.mkdirSync(join(dir, 'tree/sub'), { recursive: true })
    fs.writeFileSync(join(dir, 'tree/sub/big'), Buffer.alloc(3_000_000, 'abc'))
    fs.writeFileSync(join(dir, 'tree/empty'), '')
    fs.linkSync(join(dir, 'tree/sub/big'), join(dir, 'tree/again'))
    fs.symlinkSync('sub/big', join(dir, 'tree/link'))
    // By another program, with its own ideas of headers, blocking and order.
    const tar = execFileSync('tar', ['-C', join(dir, 'tree'), '--format=gnu', '-cf', '-', '.'], {
      maxBuffer: 1e8,
    })
    const { diffId } = await unpack(tar)
    expect((await rebuilt(diffId)).equals(tar)).toBe(true)
    expect(fs.statSync(join(dir, 'recipe')).size).toBeLessThan(10_000)
    fs.truncateSync(at('sub/big'), 10)
    await expect(rebuilt(diffId)).rejects.toThrow('damaged')
  })
})
