import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SysError } from './errors.ts'
import { bindMount, isMountPoint, listMounts, mount, umount, umountIfMounted, umountLater } from './mount.ts'
import { isWhiteout } from './nodes.ts'
import { mountOverlay, mountOverlayByOptions, type OverlayMount } from './overlay.ts'
import { isOpaque } from './xattr.ts'

const isRoot = process.getuid?.() === 0 && process.platform === 'linux'
if (!isRoot) console.log('mount.test: skipped, mounting needs root on Linux')

let dir: string
const at = (...parts: string[]) => join(dir, ...parts)
const mkdir = (...parts: string[]) => fs.mkdirSync(at(...parts), { recursive: true })

describe.runIf(isRoot)('mounts', () => {
  beforeEach(() => {
    dir = fs.mkdtempSync(join(tmpdir(), 'sys mount '))
    mkdir('target')
  })
  afterEach(() => {
    for (const { target } of listMounts().reverse()) {
      if (target.startsWith(`${dir}/`) || target === dir) umount(target, { detach: true })
    }
    fs.rmSync(dir, { recursive: true })
  })

  it('mounts, shows the mount in the list, and unmounts', () => {
    mount('tmpfs', at('target'), 'tmpfs', 0, 'size=1m,mode=700')
    expect(isMountPoint(at('target'))).toBe(true)
    expect(listMounts().find((m) => m.target === at('target'))).toMatchObject({
      type: 'tmpfs',
      source: 'tmpfs',
    })
    umount(at('target'))
    expect(isMountPoint(at('target'))).toBe(false)
    expect(umountIfMounted(at('target'))).toBe(false)
    expect(umountIfMounted(at('missing'))).toBe(false)
  })

  it('unmounts on a pool thread', async () => {
    mount('tmpfs', at('target'), 'tmpfs')
    expect(await umountLater(at('target'))).toBe(true)
    expect(await umountLater(at('target'))).toBe(false)
  })

  it('binds read-only, and keeps the stricter flags of what is there', () => {
    mkdir('from')
    mount('tmpfs', at('from'), 'tmpfs', 0x2 | 0x4 | 0x8)
    fs.writeFileSync(at('from/f'), 'x')
    bindMount(at('from'), at('target'), { readonly: true })
    expect(fs.readFileSync(at('target/f'), 'utf8')).toBe('x')
    expect(() => fs.writeFileSync(at('target/f'), 'y')).toThrow(/EROFS/)
    fs.writeFileSync(at('from/f'), 'z')
    const options = listMounts().find((m) => m.target === at('target'))?.options
    expect(options).toEqual(expect.arrayContaining(['ro', 'nosuid', 'nodev', 'noexec']))
  })

  it('says what failed, on what, and why', () => {
    try {
      mount('/nowhere', at('target'), 'ext4')
    } catch (error) {
      expect(error).toBeInstanceOf(SysError)
      expect(error).toMatchObject({ syscall: 'mount', code: 'ENOENT', path: '/nowhere', dest: at('target') })
      expect((error as Error).message).toContain(`mount /nowhere -> ${at('target')}: no such file`)
    }
    expect(() => umount(at('target'))).toThrow(/EINVAL/)
    expect(() => mount('a\0b', at('target'), 'tmpfs')).toThrow(/EINVAL/)
    expect.assertions(5)
  })

  const ways: [string, (overlay: OverlayMount) => void][] = [
    ['fsopen', mountOverlay],
    ['mount(2)', mountOverlayByOptions],
  ]

  it.each(ways)('lays layers over each other by %s', (_, mountIt) => {
    for (const layer of ['low, er:1', 'lower2', 'upper\\', 'work']) mkdir(layer)
    mkdir('low, er:1/dir')
    mkdir('lower2/dir')
    fs.writeFileSync(at('low, er:1/both'), 'top')
    fs.writeFileSync(at('lower2/both'), 'bottom')
    fs.writeFileSync(at('lower2/only'), 'bottom')
    fs.writeFileSync(at('lower2/dir/hidden'), '')
    const lower = [at('low, er:1'), at('lower2')]
    mountIt({ lower, upper: at('upper\\'), work: at('work'), target: at('target'), options: ['index=off'] })
    expect(fs.readFileSync(at('target/both'), 'utf8')).toBe('top')
    expect(fs.readFileSync(at('target/only'), 'utf8')).toBe('bottom')
    fs.writeFileSync(at('target/new'), 'n')
    fs.unlinkSync(at('target/only'))
    fs.rmSync(at('target/dir'), { recursive: true })
    fs.mkdirSync(at('target/dir'))
    umount(at('target'))
    expect(fs.readFileSync(at('upper\\/new'), 'utf8')).toBe('n')
    expect(isWhiteout(fs.lstatSync(at('upper\\/only')))).toBe(true)
    expect(isOpaque(at('upper\\/dir'))).toBe(true)
  })

  it.each(ways)('mounts without an upper layer for reading only by %s', (_, mountIt) => {
    for (const layer of ['a', 'b']) mkdir(layer)
    mountIt({ lower: [at('a'), at('b')], target: at('target'), readonly: true })
    expect(() => fs.writeFileSync(at('target/f'), '')).toThrow(/EROFS/)
  })

  function layers(count: number): string[] {
    return Array.from({ length: count }, (_, n) => {
      mkdir('layers', `layer-${n}`)
      fs.writeFileSync(at('layers', `layer-${n}`, `file-${n}`), String(n))
      fs.writeFileSync(at('layers', `layer-${n}`, 'every'), String(n))
      return at('layers', `layer-${n}`)
    })
  }

  it('mounts 300 layers', () => {
    for (const name of ['upper', 'work']) mkdir(name)
    const before = fs.readdirSync('/proc/self/fd').length
    mountOverlay({ lower: layers(300), upper: at('upper'), work: at('work'), target: at('target') })
    expect(fs.readdirSync(at('target')).length).toBe(301)
    expect(fs.readFileSync(at('target/every'), 'utf8')).toBe('0')
    expect(fs.readFileSync(at('target/file-299'), 'utf8')).toBe('299')
    expect(fs.readdirSync('/proc/self/fd').length).toBe(before)
  })

  it('mounts 150 layers of long names on an old kernel, and says when it is too many', () => {
    const lower = layers(300)
    mountOverlayByOptions({ lower: lower.slice(0, 150), target: at('target') })
    expect(fs.readdirSync(at('target')).length).toBe(151)
    expect(() => mountOverlayByOptions({ lower, target: at('target') })).toThrow(
      /300 layers do not fit.*|E2BIG/,
    )
  })

  it('takes layers whose path is longer than the kernel takes as a string', () => {
    const long = join(...Array.from({ length: 5 }, () => 'x'.repeat(100)))
    mkdir(long)
    mkdir('other')
    fs.writeFileSync(at(long, 'f'), 'far')
    mountOverlay({ lower: [at(long), at('other')], target: at('target') })
    expect(fs.readFileSync(at('target/f'), 'utf8')).toBe('far')
  })

  it('passes on what the kernel says about a layer that is not there', () => {
    const lower = [at('missing'), at('target')]
    expect(() => mountOverlay({ lower, target: at('target') })).toThrow(
      /overlay lower layer .*missing.*ENOENT/,
    )
    expect(() =>
      mountOverlay({ lower: [at('target')], target: at('target'), options: ['nonsense=1'] }),
    ).toThrow(/nonsense.*EINVAL.*[Uu]nknown/)
  })
})
