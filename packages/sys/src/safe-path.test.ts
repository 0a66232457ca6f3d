import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  mkdirAllInRoot,
  openInRoot,
  openRoot,
  realpathInRoot,
  removeInRoot,
  withParentInRoot,
} from './safe-path.ts'

const isLinux = process.platform === 'linux'
if (!isLinux) console.log('safe-path.test: skipped, openat2 is a call of Linux')

let dir: string
let root: string
const { O_CREAT, O_WRONLY, O_NOFOLLOW } = fs.constants

/** The name is the test: a secret outside that must never be reached. */
function readInRoot(path: string): string {
  const fd = openInRoot(root, path)
  try {
    return fs.readFileSync(fd, 'utf8')
  } finally {
    fs.closeSync(fd)
  }
}

describe.runIf(isLinux)('paths inside a root', () => {
  beforeEach(() => {
    dir = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'sys-root-')))
    root = join(dir, 'root')
    fs.mkdirSync(join(root, 'etc'), { recursive: true })
    fs.writeFileSync(join(root, 'etc/secret'), 'of the container')
    fs.mkdirSync(join(dir, 'etc'))
    fs.writeFileSync(join(dir, 'etc/secret'), 'of the host')
  })
  afterEach(() => fs.rmSync(dir, { recursive: true }))

  it.each([
    ['plain', 'etc/secret'],
    ['absolute', '/etc/secret'],
    ['dots', '../../../etc/secret'],
    ['dots in the middle', 'etc/../../etc/secret'],
  ])('reads inside: %s', (_, path) => {
    expect(readInRoot(path)).toBe('of the container')
  })

  it.each([
    ['an absolute link', '/etc/secret', 'link'],
    ['a link with dots', '../../../../etc/secret', 'link'],
    ['a link to the host path', () => join(dir, 'etc/secret'), 'link'],
    ['a directory link', '/', 'link/etc/secret'],
    ['a directory link with dots', '../..', 'link/etc/secret'],
  ])('never leaves by %s', (_, to, path) => {
    const target = typeof to === 'string' ? to : to()
    fs.symlinkSync(target, join(root, 'link'))
    if (target.startsWith(dir)) expect(() => readInRoot(path)).toThrow(/ENOENT/)
    else expect(readInRoot(path)).toBe('of the container')
  })

  it('never follows the magic links of /proc', () => {
    fs.mkdirSync(join(root, 'proc'))
    const rootFd = openRoot('/')
    try {
      expect(() => openInRoot(rootFd, '/proc/self/root/etc/passwd')).toThrow(/ELOOP/)
    } finally {
      fs.closeSync(rootFd)
    }
  })

  it('creates inside even through a dangling link', () => {
    fs.symlinkSync('/etc/new', join(root, 'link'))
    fs.closeSync(openInRoot(root, 'link', O_CREAT | O_WRONLY, 0o644))
    expect(fs.existsSync(join(root, 'etc/new'))).toBe(true)
    expect(fs.existsSync(join(dir, 'etc/new'))).toBe(false)
    expect(() => openInRoot(root, 'link', O_WRONLY | O_NOFOLLOW)).toThrow(/ELOOP/)
  })

  it('stays inside while another thread swaps a directory for a link', async () => {
    fs.mkdirSync(join(root, 'swap/etc'), { recursive: true })
    fs.writeFileSync(join(root, 'swap/etc/secret'), 'of the container')
    fs.symlinkSync(join('..', '..'), join(root, 'out'))
    const swapper = new Worker(
      `const fs = require('node:fs'); const { workerData: root, parentPort } = require('node:worker_threads')
       parentPort.postMessage('up')
       for (;;) { fs.renameSync(root + '/swap', root + '/kept'); fs.renameSync(root + '/out', root + '/swap')
                  fs.renameSync(root + '/swap', root + '/out'); fs.renameSync(root + '/kept', root + '/swap') }`,
      { eval: true, workerData: root },
    )
    await new Promise((resolve) => swapper.once('message', resolve))
    const seen = new Set<string>()
    for (let n = 0; n < 5000; n++) {
      try {
        seen.add(readInRoot('swap/etc/secret'))
      } catch (error) {
        seen.add((error as { code: string }).code)
      }
    }
    await swapper.terminate()
    expect(seen).toContain('of the container')
    expect(seen).not.toContain('of the host')
  })

  it('closes every descriptor it opens', () => {
    const before = fs.readdirSync('/proc/self/fd').length
    fs.symlinkSync('etc', join(root, 'link'))
    realpathInRoot(root, 'link/none/deep', { missing: 'allow' })
    mkdirAllInRoot(root, 'link/a/b')
    removeInRoot(root, 'etc')
    expect(() => openInRoot(root, 'none')).toThrow(/ENOENT/)
    expect(fs.readdirSync('/proc/self/fd').length).toBe(before)
  })

  describe('realpathInRoot', () => {
    it('follows links as seen from inside', () => {
      fs.symlinkSync('/etc', join(root, 'a'))
      fs.symlinkSync('../../a/secret', join(root, 'b'))
      expect(realpathInRoot(root, 'b')).toBe('/etc/secret')
      expect(realpathInRoot(root, '/')).toBe('/')
      expect(realpathInRoot(root, '../..')).toBe('/')
      expect(() => realpathInRoot(root, 'none')).toThrow(/ENOENT/)
    })

    it('keeps what is missing, after the links before it', () => {
      fs.symlinkSync('/etc', join(root, 'a'))
      fs.symlinkSync('/var/later', join(root, 'dangling'))
      const allow = (path: string) => realpathInRoot(root, path, { missing: 'allow' })
      expect(allow('a/new/file')).toBe('/etc/new/file')
      expect(allow('dangling')).toBe('/var/later')
      expect(allow('dangling/x')).toBe('/var/later/x')
      expect(allow('none/../../../x')).toBe('/x')
      expect(allow('/')).toBe('/')
      fs.symlinkSync('loop', join(root, 'loop'))
      expect(() => allow('loop/x')).toThrow(/ELOOP/)
    })
  })

  describe('mkdirAllInRoot', () => {
    it('makes what is missing, with the mode that was asked, and tells what', () => {
      const mask = process.umask(0o077)
      try {
        expect(mkdirAllInRoot(root, '/etc/a/b', 0o755)).toEqual(['/etc/a', '/etc/a/b'])
      } finally {
        process.umask(mask)
      }
      expect(fs.statSync(join(root, 'etc/a/b')).mode & 0o777).toBe(0o755)
      expect(mkdirAllInRoot(root, 'etc/a/b')).toEqual([])
      expect(mkdirAllInRoot(root, '/')).toEqual([])
    })

    it('follows links inside only', () => {
      fs.symlinkSync('../../../../outside', join(root, 'link'))
      mkdirAllInRoot(root, 'link/deep')
      expect(fs.existsSync(join(root, 'outside/deep'))).toBe(true)
      expect(fs.existsSync(join(dir, 'outside'))).toBe(false)
    })

    it('fails where a file stands in the way', () => {
      expect(() => mkdirAllInRoot(root, 'etc/secret')).toThrow(/ENOTDIR/)
      expect(() => mkdirAllInRoot(root, 'etc/secret/a')).toThrow(/ENOTDIR/)
    })
  })

  describe('withParentInRoot', () => {
    it('names the entry itself, links not followed', () => {
      fs.symlinkSync('/etc/secret', join(root, 'link'))
      expect(withParentInRoot(root, 'link', (entry) => fs.readlinkSync(entry))).toBe('/etc/secret')
      withParentInRoot(root, '/etc/sub/', (entry) => fs.mkdirSync(entry))
      expect(fs.existsSync(join(root, 'etc/sub'))).toBe(true)
    })

    it.each(['', '/', '.', '..', 'etc/..', 'etc/.'])('refuses %j, which names no entry', (path) => {
      expect(() => withParentInRoot(root, path, () => 0)).toThrow(/EINVAL/)
    })
  })

  describe('removeInRoot', () => {
    it('removes trees, odd names and links, but nothing behind them', () => {
      fs.mkdirSync(join(root, 'tree/deep'), { recursive: true })
      fs.symlinkSync(join(dir, 'etc'), join(root, 'tree/deep/link'))
      fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/tree/`), Buffer.from([0xff, 0x41])]), '')
      expect(removeInRoot(root, 'tree')).toBe(true)
      expect(removeInRoot(root, 'tree')).toBe(false)
      expect(removeInRoot(root, 'none/deep')).toBe(false)
      fs.symlinkSync(join(dir, 'etc'), join(root, 'link'))
      expect(removeInRoot(root, 'link')).toBe(true)
      expect(fs.readdirSync(root)).toEqual(['etc'])
      expect(fs.readdirSync(join(dir, 'etc'))).toEqual(['secret'])
    })
  })
})
