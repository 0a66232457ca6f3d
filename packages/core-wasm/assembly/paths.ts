// Paths of layers: their clean form, their order, and the whiteouts among them.
// Source: OCI image specification, layer.md, "Whiteouts".

import { same } from './bytes'

export const ENTRY: u32 = 1
/** `.wh.<name>`: whatever lower layers have there is gone. */
export const DELETE: u32 = 2
/** `.wh..wh..opq` in a folder: what lower layers have in it is gone. */
export const OPAQUE: u32 = 4
export const FOLDER: u32 = 8
/** Metadata of aufs (`.wh..wh.*`): not part of the tree. */
export const IGNORED: u32 = 16
export const INVALID: u32 = 32

const SLASH: u8 = 47
const DOT: u8 = 46

/** What `clean` found: the key's place and length, and its flags. */
export let key: usize = 0
export let keyLength: u32 = 0
export let keyFlags: u32 = 0

/** The bytes of the arena for keys that `clean` has used. */
export let keyBytes: u32 = 0
let keyArena: usize = 0

export function setKeyArena(at: usize): void {
  keyArena = at
  keyBytes = 0
}

/**
 * Order of a tree: a folder comes right before what it holds, because '/' sorts before every other byte.
 */
export function compare(a: usize, al: u32, b: usize, bl: u32): i32 {
  const n = min(al, bl)
  let i: u32 = 0
  for (; i + 16 <= n; i += 16) {
    const differ = i8x16.bitmask(i8x16.ne(v128.load(a + i), v128.load(b + i)))
    if (differ) return order(load<u8>(a + i + ctz(differ)), load<u8>(b + i + ctz(differ)))
  }
  for (; i < n; i++) {
    const x = load<u8>(a + i)
    const y = load<u8>(b + i)
    if (x != y) return order(x, y)
  }
  return <i32>al - <i32>bl
}

@inline function order(x: u8, y: u8): i32 {
  if (x == SLASH) return -1
  if (y == SLASH) return 1
  return <i32>x - <i32>y
}

/** Whether a path lies below a folder. */
export function isBelow(path: usize, pathLength: u32, folder: usize, folderLength: u32): bool {
  if (folderLength == 0) return pathLength > 0
  return pathLength > folderLength && load<u8>(path + folderLength) == SLASH && same(path, folder, folderLength)
}

/**
 * Brings a path as an archive has it into its clean form, without leading or final slashes, empty names, `.` and `..`.
 * Most paths are clean but for their ends, and stay where they are; others are written to the key arena.
 * The sixteen bytes after the path must be readable.
 */
export function clean(path: usize, n: u32): void {
  if (n >= 2 && load<u16>(path) == 0x2f2e) {
    path += 2
    n -= 2
  }
  if (n > 0 && load<u8>(path + n - 1) == SLASH) n--
  key = path
  keyLength = n
  keyFlags = ENTRY
  if (n == 0) return
  if (load<u8>(path) == DOT || load<u8>(path) == SLASH || hasOddName(path, n)) rewrite(path, n)
}

// Whether a '/' is followed by another, or by a '.': an empty name, or one that needs a closer look.
function hasOddName(p: usize, n: u32): bool {
  const slash = i8x16.splat(SLASH)
  const dot = i8x16.splat(DOT)
  for (let i: u32 = 0; i < n; i += 16) {
    const after = v128.load(p + i, 1)
    const odd = v128.and(
      i8x16.eq(v128.load(p + i), slash),
      v128.or(i8x16.eq(after, slash), i8x16.eq(after, dot)),
    )
    let found = i8x16.bitmask(odd)
    if (found == 0) continue
    if (n - i < 16) found &= (1 << (n - i)) - 1
    if (found) return true
  }
  return false
}

function rewrite(path: usize, n: u32): void {
  const out = keyArena + keyBytes
  let used: u32 = 0
  let i: u32 = 0
  while (i < n) {
    let j = i
    while (j < n && load<u8>(path + j) != SLASH) j++
    const length = j - i
    const isDot = length == 1 && load<u8>(path + i) == DOT
    const isUp = length == 2 && load<u16>(path + i) == 0x2e2e
    if (isUp) {
      if (used == 0) {
        keyFlags = INVALID
        return
      }
      while (used > 0 && load<u8>(out + used - 1) != SLASH) used--
      if (used > 0) used--
    } else if (length > 0 && !isDot) {
      if (used > 0) store<u8>(out + used++, SLASH)
      memory.copy(out + used, path + i, length)
      used += length
    }
    i = j + 1
  }
  key = out
  keyLength = used
  whiteout()
  keyBytes += used
}

// Whether `n` bytes at `p` begin with ".wh.".
@inline function hasMark(p: usize, n: u32): bool {
  return n >= 4 && load<u32>(p) == 0x2e68772e
}

// A clean path whose last name is a whiteout becomes the path that it speaks of.
function whiteout(): void {
  let start = keyLength
  while (start > 0 && load<u8>(key + start - 1) != SLASH) start--
  const name = key + start
  const n = keyLength - start
  if (!hasMark(name, n)) return
  if (hasMark(name + 4, n - 4)) {
    const isOpaque = n == 12 && load<u32>(name, 8) == 0x71706f2e // .opq
    keyFlags = isOpaque ? OPAQUE : IGNORED
    keyLength = start > 0 ? start - 1 : 0
    return
  }
  const target = n - 4
  if (target == 0 || (load<u8>(name, 4) == DOT && (target == 1 || (target == 2 && load<u8>(name, 5) == DOT)))) {
    keyFlags = INVALID
    return
  }
  memory.copy(name, name + 4, target)
  keyLength -= 4
  keyFlags = DELETE
}
