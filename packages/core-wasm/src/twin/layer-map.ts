/**
 * Layers laid over one another and compared, with Maps: to test and measure the other against.
 * @module
 */
import type { Change, EntryRef } from '../layer-tree.ts'
import type { TarEntries } from '../tar-entries.ts'

/** The clean path of an archive's path, or undefined where it climbs out of the root. */
export function cleanPath(path: string): string | undefined {
  const names: string[] = []
  for (const name of path.split('/')) {
    if (name === '..') {
      if (names.length === 0) return undefined
      names.pop()
    } else if (name !== '' && name !== '.') names.push(name)
  }
  return names.join('/')
}

const isBelow = (path: string, folder: string) =>
  folder === '' ? path !== '' : path.startsWith(`${folder}/`)

function order(a: string, b: string): number {
  const sortable = (path: string) => Buffer.from(path.replaceAll('/', '\0'), 'latin1')
  return Buffer.compare(sortable(a), sortable(b))
}

/** Entries by clean path (as latin1), in the order of a tree. @throws where a path climbs out of the root */
export function mergeWithMaps(layers: readonly TarEntries[]): Map<string, EntryRef> {
  let tree = new Map<string, EntryRef>()
  for (const [layer, entries] of layers.entries()) {
    const own = new Map<string, EntryRef>()
    const covers: string[] = []
    const gone = new Set<string>()
    for (let row = 0; row < entries.count; row++) {
      const path = cleanPath(entries.pathBytes(row).toString('latin1'))
      if (path === undefined) throw new Error('climbs out of the root')
      const slash = path.lastIndexOf('/')
      const name = path.slice(slash + 1)
      const folder = path.slice(0, Math.max(slash, 0))
      if (name === '.wh..wh..opq') covers.push(folder)
      else if (name.startsWith('.wh..wh.')) continue
      else if (name.startsWith('.wh.')) {
        const target = name.slice(4)
        if (target === '' || target === '.' || target === '..') throw new Error('a whiteout of nothing')
        const hidden = path.slice(0, slash + 1) + target
        covers.push(hidden)
        gone.add(hidden)
      } else own.set(path, { layer, row })
    }
    for (const [path, { row }] of own) if (entries.type(row) !== '5') covers.push(path)
    const seen = [...tree].filter(
      ([path]) => !gone.has(path) && !own.has(path) && !covers.some((folder) => isBelow(path, folder)),
    )
    tree = new Map([...seen, ...own])
  }
  return new Map([...tree].sort(([a], [b]) => order(a, b)))
}

/** What diffEntries gives, but for paths as latin1. */
export function diffWithMaps(lower: readonly TarEntries[], upper: readonly TarEntries[]): Change[] {
  const before = mergeWithMaps(lower)
  const after = mergeWithMaps(upper)
  const changes: Change[] = []
  let gone: string | undefined
  for (const path of [...new Set([...before.keys(), ...after.keys()])].sort(order)) {
    const from = before.get(path)
    const to = after.get(path)
    if (!from) changes.push({ kind: 'add', path, upper: to! })
    else if (!to) {
      if (gone !== undefined && isBelow(path, gone)) continue
      gone = path
      changes.push({ kind: 'delete', path, lower: from })
    } else {
      const a = lower[from.layer]!
      const b = upper[to.layer]!
      if (differs(a, from.row, b, to.row)) changes.push({ kind: 'modify', path, lower: from, upper: to })
      if (a.type(from.row) === '5' && b.type(to.row) !== '5') gone = path
    }
  }
  return changes
}

function differs(a: TarEntries, i: number, b: TarEntries, j: number): boolean {
  const fixed = ['type', 'mode', 'uid', 'gid', 'devmajor', 'devminor'] as const
  if (fixed.some((column) => a.columns[column][i] !== b.columns[column][j])) return true
  if (!a.linkpathBytes(i).equals(b.linkpathBytes(j))) return true
  const xattrs = (entries: TarEntries, row: number) => JSON.stringify([...(entries.xattrs(row) ?? [])])
  if (xattrs(a, i) !== xattrs(b, j)) return true
  if (a.type(i) === '5') return false
  const [s, t] = [a.columns.mtime[i]!, b.columns.mtime[j]!]
  const sameTime =
    s === t || (Math.floor(s) === Math.floor(t) && (Number.isInteger(s) || Number.isInteger(t)))
  return a.columns.size[i] !== b.columns.size[j] || !sameTime
}
