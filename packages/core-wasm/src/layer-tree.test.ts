import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TarError } from './errors.ts'
import { type Change, diffEntries, mergeLayers } from './layer-tree.ts'
import type { TarEntries } from './tar-entries.ts'
import { type TarHeader, writeTarHeader } from './tar-header.ts'
import { TarScanner } from './tar-scanner.ts'
import { diffWithMaps, mergeWithMaps } from './twin/layer-map.ts'
import { OPAQUE_WHITEOUT, whiteoutOf } from './whiteout.ts'

/** A layer of paths: a folder where the path ends in a slash, a file elsewhere. */
function layer(...headers: Array<string | TarHeader>): TarEntries {
  const scanner = new TarScanner()
  for (const header of headers) {
    if (typeof header !== 'string') scanner.push(writeTarHeader(header))
    else scanner.push(writeTarHeader({ path: header, type: header.endsWith('/') ? '5' : '0' }))
  }
  return scanner.end()
}

function merged(...layers: TarEntries[]): string[] {
  const tree = mergeLayers(layers)
  return Array.from({ length: tree.count }, (_, i) => `${tree.path(i)}@${tree.entry(i).layer}`)
}

const changes = (all: Change[]) => all.map(({ kind, path }) => `${kind} ${path}`)

test('a tree is in the order of its folders, and a later entry replaces an earlier one', () => {
  const tree = mergeLayers([layer('./', './a-b', './a/', 'a//b', '/a/./c', 'a', 'x/../d', 'a/')])
  expect(Array.from({ length: tree.count }, (_, i) => [tree.path(i), tree.entry(i).row])).toEqual([
    ['', 0],
    ['a', 7],
    ['a/b', 3],
    ['a/c', 4],
    ['a-b', 1],
    ['d', 6],
  ])
})

test('whiteouts, opaque folders and files over folders hide what lies below', () => {
  const base = layer('a/', 'a/b/', 'a/b/c', 'a/d', 'a.txt', 'e/', 'e/f', 'g/', 'g/h')
  expect(merged(base, layer(whiteoutOf('a/b')))).toEqual([
    'a@0',
    'a/d@0',
    'a.txt@0',
    'e@0',
    'e/f@0',
    'g@0',
    'g/h@0',
  ])
  expect(merged(base, layer(`e/${OPAQUE_WHITEOUT}`, 'e/new'))).toEqual([
    'a@0',
    'a/b@0',
    'a/b/c@0',
    'a/d@0',
    'a.txt@0',
    'e@0',
    'e/new@1',
    'g@0',
    'g/h@0',
  ])
  expect(merged(base, layer('a', 'g/'))).toEqual(['a@1', 'a.txt@0', 'e@0', 'e/f@0', 'g@1', 'g/h@0'])
  expect(merged(base, layer('.wh.a', 'a/', 'a/z', '.wh.e', '.wh.nothing', '.wh..wh.plnk'))).toEqual([
    'a@1',
    'a/z@1',
    'a.txt@0',
    'g@0',
    'g/h@0',
  ])
  expect(merged(base, layer(OPAQUE_WHITEOUT, 'new'))).toEqual(['new@1'])
})

test('a difference tells of a folder that is gone only once', () => {
  const lower = layer('a/', 'a/b/', 'a/b/c', 'd/', 'd/e', 'f', { path: 'g', mtime: 1 })
  const upper = layer('a/', 'd', 'f', { path: 'g', mtime: 2 }, 'h')
  expect(changes(diffEntries([lower], [upper]))).toEqual(['delete a/b', 'modify d', 'modify g', 'add h'])
  expect(changes(diffEntries([upper], [lower]))).toEqual([
    'add a/b',
    'add a/b/c',
    'modify d',
    'add d/e',
    'modify g',
    'delete h',
  ])
  expect(diffEntries([lower], [lower, layer('.wh.f', 'h')])).toEqual([
    { kind: 'delete', path: 'f', lower: { layer: 0, row: 5 } },
    { kind: 'add', path: 'h', upper: { layer: 1, row: 1 } },
  ])
})

test('what counts as a difference', () => {
  const file: TarHeader = {
    path: 'f',
    mode: 0o644,
    mtime: 5,
    xattrs: new Map([['user.a', Buffer.from('1')]]),
  }
  const differs = (a: Partial<TarHeader>, b: Partial<TarHeader>) =>
    diffEntries([layer({ ...file, ...a })], [layer({ ...file, ...b })]).length === 1
  expect(differs({}, {})).toBe(false)
  expect(differs({ mtime: 5.25 }, { mtime: 5 })).toBe(false)
  expect(differs({ mtime: 5.25 }, { mtime: 5.5 })).toBe(true)
  expect(differs({}, { mode: 0o600 })).toBe(true)
  expect(differs({}, { uid: 1 })).toBe(true)
  expect(differs({}, { type: '2', linkpath: 'x' })).toBe(true)
  expect(differs({ type: '2', linkpath: 'y' }, { type: '2', linkpath: 'x' })).toBe(true)
  expect(differs({}, { xattrs: new Map([['user.a', Buffer.from('2')]]) })).toBe(true)
  expect(differs({ type: '3', devminor: 1 }, { type: '3', devminor: 2 })).toBe(true)
  expect(differs({ type: '5' }, { type: '5', mtime: 9 })).toBe(false)
})

test('paths that leave the root, and whiteouts of nothing, are refused', () => {
  for (const path of ['..', '../a', 'a/../../b', '/..', 'a/.wh.', '.wh..', '.wh...']) {
    expect(() => mergeLayers([layer('ok', path)]), path).toThrow(TarError)
    expect(() => mergeWithMaps([layer('ok', path)]), path).toThrow()
  }
})

test('a hundred thousand entries out of order', () => {
  const scanner = new TarScanner()
  for (let i = 0; i < 100_000; i++)
    scanner.push(writeTarHeader({ path: `d${(i * 7919) % 1000}/${(i * 31) % 100_000}` }))
  const entries = scanner.end()
  const tree = mergeLayers([entries])
  const paths = Array.from({ length: tree.count }, (_, i) => tree.path(i))
  expect(paths).toEqual([...mergeWithMaps([entries]).keys()])
})

const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'ab', 'a-', 'é', 'c'.repeat(17), '.h') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '.',
      '',
      '..',
      '.wh..wh..opq',
      '.wh.a',
      '.wh.b',
      '.wh.ab',
      '.wh..wh.x',
      '.wh..h',
      '.wh',
    ),
  },
)
const header: fc.Arbitrary<TarHeader> = fc.record({
  path: fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/') || '.'),
  type: fc.constantFrom('0', '5', '5', '2'),
  mode: fc.constantFrom(0o644, 0o755),
  mtime: fc.constantFrom(1, 1.5, 2),
})
const layers = fc.array(
  fc.array(header, { maxLength: 25 }).map((headers) => layer(...headers)),
  { maxLength: 4 },
)

function outcome<T>(run: () => T): T | 'refused' {
  try {
    return run()
  } catch (error) {
    if (error instanceof TarError && error.code !== 'path') throw error
    return 'refused'
  }
}

test('random layers give the trees and differences of the Map twin', () => {
  let refused = 0
  fc.assert(
    fc.property(layers, layers, (lower, upper) => {
      const tree = outcome(() => {
        const all = mergeLayers(lower)
        return Array.from({ length: all.count }, (_, i) => [all.path(i), all.entry(i)])
      })
      const latin1 = (path: string) => Buffer.from(path, 'latin1').toString()
      expect(tree).toEqual(outcome(() => [...mergeWithMaps(lower)].map(([path, ref]) => [latin1(path), ref])))
      if (tree === 'refused') refused++
      expect(outcome(() => diffEntries(lower, upper))).toEqual(
        outcome(() => diffWithMaps(lower, upper).map((change) => ({ ...change, path: latin1(change.path) }))),
      )
    }),
    { numRuns: 2000 },
  )
  expect(refused).toBeLessThan(1500)
})
