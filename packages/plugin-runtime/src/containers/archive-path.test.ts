import fs, { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mkfifo, openRoot } from '@kernel/sys'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { absolutePath, baseName, locate, locateFolder } from './archive-path.ts'

describe('a path of docker cp', () => {
  let dir: string
  let root: number
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'archive-path-'))
    mkdirSync(join(dir, 'd/sub'), { recursive: true })
    fs.chmodSync(join(dir, 'd'), 0o1777)
    writeFileSync(join(dir, 'd/f'), 'hi\n', { mode: 0o644 })
    fs.chmodSync(join(dir, 'd/f'), 0o4755)
    utimesSync(join(dir, 'd/f'), 1_700_000_000, 1_700_000_000.25)
    symlinkSync('/d', join(dir, 'lnk'))
    symlinkSync('/nowhere', join(dir, 'broken'))
    symlinkSync('../../../../etc', join(dir, 'out'))
    symlinkSync('/loop', join(dir, 'loop'))
    mkfifo(join(dir, 'pipe'), 0o600)
    root = openRoot(dir)
  })
  afterAll(() => {
    fs.closeSync(root)
    rmSync(dir, { recursive: true })
  })

  it('is absolute and clean, and keeps the ending that means something', () => {
    const cases = {
      '/': '/',
      d: '/d',
      '/d/': '/d/',
      '/d/.': '/d/.',
      '.': '/.',
      '/a/../d': '/d',
      '/d/..': '/',
    }
    for (const [given, wanted] of Object.entries({ ...cases, '/d/./': '/d/./', '//d//': '/d/' }))
      expect([given, absolutePath(given)]).toEqual([given, wanted])
    expect(['/', '/d/', '/d/.', '/d/f'].map(baseName)).toEqual(['/', 'd', '.', 'f'])
  })

  it('names a folder, a file, a link, or the folder behind a link', () => {
    const at = (path: string) => {
      const { stat, folder, entry } = locate(root, path, 'c')
      return [stat.name, folder, entry, stat.linkTarget]
    }
    expect(at('/')).toEqual(['/', '/', undefined, ''])
    expect(at('d')).toEqual(['d', '/d', undefined, ''])
    expect(at('/d/.')).toEqual(['.', '/d', undefined, ''])
    expect(at('/d/f')).toEqual(['f', '/d', 'f', ''])
    expect(at('/lnk')).toEqual(['lnk', '/', 'lnk', '/d'])
    expect(at('/lnk/')).toEqual(['lnk', '/d', undefined, ''])
    expect(at('/lnk/f')).toEqual(['f', '/d', 'f', ''])
    expect(at('/broken')).toEqual(['broken', '/', 'broken', '/nowhere'])
  })

  it('tells kind and permissions with the bits of Go', () => {
    const mode = (path: string) => locate(root, path, 'c').stat.mode
    expect(mode('/d')).toBe(2 ** 31 + 2 ** 20 + 0o777)
    expect(mode('/d/f')).toBe(2 ** 23 + 0o755)
    expect(mode('/lnk')).toBe(2 ** 27 + 0o777)
    expect(mode('/pipe')).toBe(2 ** 25 + 0o600)
    expect(locate(root, '/d/f', 'c').stat).toMatchObject({ size: 3, mtime: '2023-11-14T22:13:20.25Z' })
  })

  it('says what is not there, and never leads out', () => {
    for (const path of ['/nope', '/broken/', '/out/passwd', '/../../etc/passwd'])
      expect(() => locate(root, path, 'web')).toThrow(
        expect.objectContaining({
          kind: 'not-found',
          message: `Could not find the file ${path} in container web`,
        }),
      )
    expect(() => locate(root, '/d/f/', 'web')).toThrow('lstat /d/f/: not a directory')
    expect(() => locate(root, '/loop/', 'web')).toThrow('too many levels of symbolic links')
    expect(() => locateFolder(root, '/d/f', 'web')).toThrow('extraction point is not a directory')
    expect(() => locateFolder(root, '/broken', 'web')).toThrow('Could not find the file /broken')
    expect(locateFolder(root, '/lnk', 'web')).toBe('/d')
  })
})
