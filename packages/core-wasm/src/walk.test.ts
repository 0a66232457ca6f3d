import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { select, walk } from './walk.ts'

let dir = ''
let root = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'core-wasm-walk-'))
  root = join(dir, 'root')
  mkdirSync(join(root, 'a/b'), { recursive: true })
  mkdirSync(join(dir, 'outside/b'), { recursive: true })
  writeFileSync(join(root, 'a/b/file'), '')
  writeFileSync(join(root, 'z'), '')
  writeFileSync(join(dir, 'outside/secret'), '')
  writeFileSync(join(dir, 'outside/b/secret'), '')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** The paths of a walk during which something happens when it has come to `at`. */
function visited(at: string, happens: () => void): string[] {
  const paths: string[] = []
  for (const { path } of walk(root, true, (found) => found.path)) {
    paths.push(path)
    if (path === at) happens()
  }
  return paths
}

function swapForLink(path: string, target: string): void {
  renameSync(join(root, path), join(dir, 'moved'))
  symlinkSync(target, join(root, path))
}

test('a folder comes before what it holds', () => {
  expect(visited('', () => {})).toEqual(['', 'a', 'a/b', 'a/b/file', 'z'])
})

test('a folder that is swapped for a link before it is entered is not followed', () => {
  expect(visited('a', () => swapForLink('a', join(dir, 'outside')))).toEqual(['', 'a', 'z'])
})

test('a folder above that is swapped for a link meanwhile leads nowhere else', () => {
  expect(visited('a/b', () => swapForLink('a', join(dir, 'outside')))).toEqual([
    '',
    'a',
    'a/b',
    'a/b/file',
    'z',
  ])
})

test('a file that became a link or a pipe is not opened', () => {
  const opened: unknown[] = []
  for (const found of walk(root, true, ({ path }) => path)) {
    if (!found.stat.isFile()) continue
    rmSync(join(root, found.path))
    if (found.path === 'z') execFileSync('mkfifo', [join(root, 'z')])
    else symlinkSync(join(dir, 'outside/secret'), join(root, found.path))
    opened.push(found.open())
  }
  expect(opened).toEqual([undefined, undefined])
})

test('a selection takes what is below its paths and the folders that lead there', () => {
  writeFileSync(join(root, 'a/other'), '')
  const paths = [...walk(root, select(['a/b/', './none']), ({ path }) => path)].map(({ path }) => path)
  expect(paths).toEqual(['', 'a', 'a/b', 'a/b/file'])
  expect(select(['a', 'a/b'])).toEqual(new Map([['a', true]]))
  expect(() => select(['a/../b'])).toThrow('must not hold ".."')
})
