// Extended headers: the records of a pax header, what they override, and the arena that keeps all names.

import { bad, clearBad, decimal, seconds } from './tar-number'

export const PAX_OK: i32 = 0
export const PAX_MALFORMED: i32 = 1
export const PAX_SPARSE: i32 = 2
export const PAX_UNSUPPORTED: i32 = 3
export const PAX_NUMBER: i32 = 4

// Which fields an extended header sets.
export const F_PATH: u32 = 1
export const F_LINK: u32 = 2
export const F_SIZE: u32 = 4
export const F_UID: u32 = 8
export const F_GID: u32 = 16
export const F_MTIME: u32 = 32

/** What extended headers say of the coming entry. Texts are offsets from the start of all names. */
@unmanaged
export class Overrides {
  has: u32
  /** Fields given an empty value: neither this header nor a global one sets them. */
  cleared: u32
  pathOffset: u32
  pathLength: u32
  linkOffset: u32
  linkLength: u32
  xattrOffset: u32
  xattrLength: u32
  size: i64
  uid: i64
  gid: i64
  mtime: f64
  pathIsFolder: bool
}

export const local = changetype<Overrides>(1024)
export const global = changetype<Overrides>(1152)

export function clear(o: Overrides): void {
  memory.fill(changetype<usize>(o), 0, offsetof<Overrides>())
}

// --- the arena -----------------------------------------------------------------------------------------------

let arena: usize = 0
let drained: u32 = 0
export let arenaUsed: u32 = 0

export function resetArena(at: usize): void {
  arena = at
  drained = 0
  arenaUsed = 0
}

/** The host has copied the arena out: later names follow those. */
export function drainArena(): void {
  drained += arenaUsed
  arenaUsed = 0
}

/** Where the next name will begin, counted from the first of all names. */
export function arenaPosition(): u32 {
  return drained + arenaUsed
}

/** Appends bytes; the caller has made sure that there is room. */
export function keep(p: usize, n: u32): u32 {
  const at = drained + arenaUsed
  memory.copy(arena + arenaUsed, p, n)
  arenaUsed += n
  return at
}

function keepWord(value: u32): void {
  store<u32>(arena + arenaUsed, value)
  arenaUsed += 4
}

// --- records -------------------------------------------------------------------------------------------------

let key: usize = 0
let keyLength: u32 = 0
let value: usize = 0
let valueLength: u32 = 0

// One record, "length key=value\n". Gives the address after it, or 0 where it is malformed.
function record(p: usize, end: usize): usize {
  let n: u32 = 0
  let q = p
  while (q < end) {
    const c = load<u8>(q)
    if (c < 48 || c > 57) break
    n = n * 10 + (c - 48)
    if (n > 1 << 24) return 0
    q++
  }
  if (q == p || q >= end || load<u8>(q) != 32) return 0
  const next = p + n
  key = q + 1
  if (next > end || next <= key + 1 || load<u8>(next - 1) != 10) return 0
  const last = next - 1
  q = key
  while (q < last && load<u8>(q) != 61) q++
  if (q == key || q == last) return 0
  keyLength = <u32>(q - key)
  value = q + 1
  valueLength = <u32>(last - value)
  return next
}

function hasNul(p: usize, n: u32): bool {
  for (let i: u32 = 0; i < n; i++) if (load<u8>(p + i) == 0) return true
  return false
}

function field(): u32 {
  if (keyLength == 4 && load<u32>(key) == 0x68746170) return F_PATH // path
  if (keyLength == 8 && load<u64>(key) == 0x687461706b6e696c) return F_LINK // linkpath
  if (keyLength == 4 && load<u32>(key) == 0x657a6973) return F_SIZE // size
  if (keyLength == 3 && load<u16>(key) == 0x6975 && load<u8>(key, 2) == 100) return F_UID // uid
  if (keyLength == 3 && load<u16>(key) == 0x6967 && load<u8>(key, 2) == 100) return F_GID // gid
  if (keyLength == 5 && load<u32>(key) == 0x6d69746d && load<u8>(key, 4) == 101) return F_MTIME // mtime
  return 0
}

// "GNU.sparse."
function isSparse(): bool {
  return keyLength >= 11 && load<u64>(key) == 0x72617073_2e554e47 && load<u16>(key, 8) == 0x6573 && load<u8>(key, 10) == 46
}

// "SCHILY.xattr."
function isXattr(): bool {
  return (
    keyLength > 13 && load<u64>(key) == 0x782e594c_49484353 && load<u32>(key, 8) == 0x72747461 && load<u8>(key, 12) == 46
  )
}

/** Reads the records of one extended header into `into`; gives PAX_OK or what is wrong. */
export function readPax(p: usize, n: u32, into: Overrides, isGlobal: bool): i32 {
  const end = p + n
  let xattrs: u32 = 0
  let q = p
  while (q < end) {
    const next = record(q, end)
    if (next == 0) return PAX_MALFORMED
    q = next
    if (isSparse()) return PAX_SPARSE
    if (isXattr()) xattrs++
    const f = field()
    if (f == 0) continue
    into.has &= ~f
    into.cleared |= f
    if (valueLength == 0) continue
    into.has |= f
    into.cleared &= ~f
    if (f == F_PATH || f == F_LINK) {
      if (hasNul(value, valueLength)) return PAX_MALFORMED
      const at = keep(value, valueLength)
      if (f == F_PATH) {
        into.pathOffset = at
        into.pathLength = valueLength
        into.pathIsFolder = load<u8>(value + valueLength - 1) == 47
      } else {
        into.linkOffset = at
        into.linkLength = valueLength
      }
      continue
    }
    clearBad()
    if (f == F_MTIME) into.mtime = seconds(value, valueLength)
    else {
      const v = decimal(value, valueLength)
      if (f == F_SIZE) into.size = v
      else if (f == F_UID) into.uid = v
      else into.gid = v
    }
    if (bad) return PAX_NUMBER
  }
  if (xattrs == 0) return PAX_OK
  return isGlobal ? PAX_UNSUPPORTED : keepXattrs(p, end, into)
}

// Extended attributes, as { key length, value length, key, value } one after the other.
function keepXattrs(p: usize, end: usize, into: Overrides): i32 {
  into.xattrOffset = arenaPosition()
  let q = p
  while (q < end) {
    q = record(q, end)
    if (!isXattr()) continue
    keepWord(keyLength - 13)
    keepWord(valueLength)
    keep(key + 13, keyLength - 13)
    keep(value, valueLength)
  }
  into.xattrLength = arenaPosition() - into.xattrOffset
  return PAX_OK
}
