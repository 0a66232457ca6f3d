// Trees of layers: each layer's entries in the order of a tree, layers laid over one another, two trees compared.
//
// The host copies each layer's columns into memory of its choice and registers them. A tree is a run of items,
// { key, key length, row, flags | layer << 8 }, 16 bytes each, in the order of `compare`, no key twice.

import { same } from './bytes'
import {
  DELETE, ENTRY, FOLDER, IGNORED, INVALID, OPAQUE, clean, compare, isBelow, key, keyFlags, keyLength, setKeyArena,
} from './paths'

export const LAYERS: usize = 4096
export const LAYER_BYTES: usize = 64
export const MAX_LAYERS: u32 = 1024
export const FREE: usize = 4096 + 64 * 1024

export const ADD: i32 = 1
export const MODIFY: i32 = 2
export const REMOVE: i32 = 3

export const ITEM_BYTES: usize = 16
export const CHANGE_BYTES: usize = 12

// The addresses of a layer's columns, in the order in which the host registers them.
@unmanaged
class Layer {
  size: usize
  mtime: usize
  mode: usize
  uid: usize
  gid: usize
  devmajor: usize
  devminor: usize
  pathOffset: usize
  pathLength: usize
  linkOffset: usize
  linkLength: usize
  xattrOffset: usize
  xattrLength: usize
  type: usize
  names: usize
  namesBytes: usize
}

@unmanaged
class Item {
  key: usize
  keyLength: u32
  row: u32
  flags: u32
}

@inline function item(items: usize, i: u32): Item {
  return changetype<Item>(items + ((<usize>i) << 4))
}
@inline function layerAt(i: u32): Layer {
  return changetype<Layer>(LAYERS + <usize>i * LAYER_BYTES)
}
@inline function compareItems(a: Item, b: Item): i32 {
  return compare(a.key, a.keyLength, b.key, b.keyLength)
}
@inline function copyItem(to: usize, i: u32, from: Item): void {
  v128.store(to + ((<usize>i) << 4), v128.load(changetype<usize>(from)))
}

let invalid: u32 = 0
/** The row whose path climbs out of the root, or whose whiteout names nothing, after `index` gave -1. */
export function invalidRow(): u32 {
  return invalid
}

/**
 * Makes the sorted tree of one layer at `items`, where there is room for twice `count` items; clean paths that differ
 * from those of the archive go to `keys`. Gives the number of items, or -1.
 */
export function index(layer: u32, count: u32, items: usize, keys: usize): i32 {
  assert(layer < MAX_LAYERS)
  const l = layerAt(layer)
  setKeyArena(keys)
  let n: u32 = 0
  for (let row: u32 = 0; row < count; row++) {
    const at = load<u32>(l.pathOffset + 4 * <usize>row)
    const length = load<u32>(l.pathLength + 4 * <usize>row)
    assert(<u64>at + <u64>length <= <u64>l.namesBytes)
    clean(l.names + at, length)
    if (keyFlags == INVALID) {
      invalid = row
      return -1
    }
    if (keyFlags == IGNORED) continue
    const it = item(items, n++)
    it.key = key
    it.keyLength = keyLength
    it.row = row
    const folder = keyFlags == ENTRY && load<u8>(l.type + row) == 53 ? FOLDER : 0
    it.flags = keyFlags | folder | (layer << 8)
  }
  const spare = items + ((<usize>n) << 4)
  const sorted = sort(items, spare, n)
  return <i32>fold(sorted, n, items)
}

// Merge sort, stable, so that of two entries with one path the later stays behind. Gives where the result lies.
function sort(items: usize, spare: usize, n: u32): usize {
  let from = items
  let to = spare
  for (let width: u32 = 1; width < n; width <<= 1) {
    let moved = false
    for (let low: u32 = 0; low < n; low += width << 1) {
      const middle = min(low + width, n)
      const high = min(middle + width, n)
      const bytes = (<usize>(high - low)) << 4
      if (middle == high || compareItems(item(from, middle - 1), item(from, middle)) <= 0) {
        memory.copy(to + ((<usize>low) << 4), from + ((<usize>low) << 4), bytes)
        continue
      }
      moved = true
      mergeRuns(from, to, low, middle, high)
    }
    if (!moved && isSorted(from, n)) return from
    const swap = from
    from = to
    to = swap
  }
  return from
}

function isSorted(items: usize, n: u32): bool {
  for (let i: u32 = 1; i < n; i++) if (compareItems(item(items, i - 1), item(items, i)) > 0) return false
  return true
}

function mergeRuns(from: usize, to: usize, low: u32, middle: u32, high: u32): void {
  let i = low
  let j = middle
  for (let k = low; k < high; k++) {
    if (i < middle && (j >= high || compareItems(item(from, i), item(from, j)) <= 0)) copyItem(to, k, item(from, i++))
    else copyItem(to, k, item(from, j++))
  }
}

// Puts what one layer says of one path into one item: the last entry, and any whiteout beside it.
function fold(items: usize, n: u32, out: usize): u32 {
  let k: u32 = 0
  for (let i: u32 = 0; i < n; i++) {
    const it = item(items, i)
    if (k > 0) {
      const last = item(out, k - 1)
      if (compareItems(last, it) == 0) {
        const whiteouts = (last.flags | it.flags) & (DELETE | OPAQUE)
        if (it.flags & ENTRY) {
          last.row = it.row
          last.flags = it.flags
        }
        last.flags |= whiteouts
        continue
      }
    }
    copyItem(out, k++, it)
  }
  return k
}

/** Lays a layer's tree over another; `out` has room for both. Gives the number of items that can be seen. */
export function overlay(lower: usize, lowerCount: u32, upper: usize, upperCount: u32, out: usize): u32 {
  let i: u32 = 0
  let k: u32 = 0
  // All of `lower` below this path is hidden.
  let hidden: usize = 0
  let hiddenLength: u32 = 0
  let hides = false
  for (let j: u32 = 0; j <= upperCount; j++) {
    const up = item(upper, j)
    for (; i < lowerCount; i++) {
      const low = item(lower, i)
      const order = j < upperCount ? compareItems(low, up) : -1
      if (order > 0) break
      if (hides && isBelow(low.key, low.keyLength, hidden, hiddenLength)) continue
      hides = false
      if (order < 0) copyItem(out, k++, low)
      else if (!(up.flags & (ENTRY | DELETE))) copyItem(out, k++, low) // an opaque folder that the layer has no entry for
    }
    if (j == upperCount) break
    if (up.flags & ENTRY) copyItem(out, k++, up)
    const covers = (up.flags & (DELETE | OPAQUE)) != 0 || (up.flags & FOLDER) == 0
    if (covers && !(hides && isBelow(up.key, up.keyLength, hidden, hiddenLength))) {
      hides = true
      hidden = up.key
      hiddenLength = up.keyLength
    }
  }
  return k
}

/**
 * Compares two trees and writes { kind, lower item, upper item } for each path that differs, -1 for none. What lay
 * below a folder that is gone, or that became something else, is not told of. Gives the number of changes.
 */
export function diff(lower: usize, lowerCount: u32, upper: usize, upperCount: u32, out: usize): u32 {
  let i: u32 = 0
  let j: u32 = 0
  let k: u32 = 0
  let gone: usize = 0
  let goneLength: u32 = 0
  let isGone = false
  while (i < lowerCount || j < upperCount) {
    const low = item(lower, i)
    const up = item(upper, j)
    const order = i >= lowerCount ? 1 : j >= upperCount ? -1 : compareItems(low, up)
    if (order < 0) {
      if (!isGone || !isBelow(low.key, low.keyLength, gone, goneLength)) {
        change(out, k++, REMOVE, i, -1)
        isGone = true
        gone = low.key
        goneLength = low.keyLength
      }
      i++
    } else if (order > 0) {
      change(out, k++, ADD, -1, j)
      j++
    } else {
      if (differs(low, up)) change(out, k++, MODIFY, i, j)
      if (low.flags & ~up.flags & FOLDER) {
        isGone = true
        gone = low.key
        goneLength = low.keyLength
      }
      i++
      j++
    }
  }
  return k
}

function change(out: usize, k: u32, kind: i32, i: i32, j: i32): void {
  const at = out + <usize>k * CHANGE_BYTES
  store<i32>(at, kind)
  store<i32>(at, i, 4)
  store<i32>(at, j, 8)
}

@inline function word(column: usize, row: u32): u32 {
  return load<u32>(column + 4 * <usize>row)
}
@inline function double(column: usize, row: u32): f64 {
  return load<f64>(column + 8 * <usize>row)
}

function differs(a: Item, b: Item): bool {
  const x = layerAt(a.flags >> 8)
  const y = layerAt(b.flags >> 8)
  const i = a.row
  const j = b.row
  const type = load<u8>(x.type + i)
  if (type != load<u8>(y.type + j)) return true
  if (word(x.mode, i) != word(y.mode, j) || word(x.uid, i) != word(y.uid, j) || word(x.gid, i) != word(y.gid, j)) {
    return true
  }
  if (word(x.devmajor, i) != word(y.devmajor, j) || word(x.devminor, i) != word(y.devminor, j)) return true
  // A folder's own time and size tell nothing: they change with what it holds.
  if (type != 53) {
    if (double(x.size, i) != double(y.size, j) || !sameTime(double(x.mtime, i), double(y.mtime, j))) return true
  }
  return (
    textDiffers(x, x.linkOffset, x.linkLength, i, y, y.linkOffset, y.linkLength, j) ||
    textDiffers(x, x.xattrOffset, x.xattrLength, i, y, y.xattrOffset, y.xattrLength, j)
  )
}

// Archives that keep whole seconds are compared by these.
function sameTime(a: f64, b: f64): bool {
  return a == b || (floor(a) == floor(b) && (a == floor(a) || b == floor(b)))
}

function textDiffers(x: Layer, xo: usize, xl: usize, i: u32, y: Layer, yo: usize, yl: usize, j: u32): bool {
  const n = word(xl, i)
  if (n != word(yl, j)) return true
  const a = word(xo, i)
  const b = word(yo, j)
  assert(<u64>a + <u64>n <= <u64>x.namesBytes && <u64>b + <u64>n <= <u64>y.namesBytes)
  return !same(x.names + a, y.names + b, n)
}
