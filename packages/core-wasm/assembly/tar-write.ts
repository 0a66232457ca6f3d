// Writes the header of a tar entry: ustar where all fits, else a pax extended header before it.
// Deterministic: the same entry gives the same bytes. Records are sorted by key, as Go's archive/tar sorts them.
//
// The host writes path, link and extended attributes one after the other to INPUT; the attributes are
// { key length u32, value length u32, key, value }, sorted by key. The result lies at OUTPUT.

import { sumBlock } from './bytes'

export const INPUT: usize = 4096
export const INPUT_BYTES: u32 = 5 << 18
export const OUTPUT: usize = 4096 + (5 << 18)
export const MEMORY_BYTES: u32 = 4096 + (5 << 18) + 512 + (1 << 20) + 512 + 65536

export const INVALID_PATH: i32 = -1
export const INVALID_LINK: i32 = -2
export const INVALID_NUMBER: i32 = -3
export const TOO_LONG: i32 = -4

// A reader takes no longer extended header.
const MAX_BODY: u32 = 1 << 20
const MAX_OCTAL_7: f64 = 2097151
const MAX_OCTAL_11: f64 = 8589934591
const MAX_SAFE: f64 = 9007199254740991
const DIGITS: usize = 2048 // room for one number as text

function contains(p: usize, n: u32, low: u8, high: u8): bool {
  for (let i: u32 = 0; i < n; i++) {
    const c = load<u8>(p + i)
    if (c >= low && c <= high) return true
  }
  return false
}

@inline function isAscii(p: usize, n: u32): bool {
  return !contains(p, n, 128, 255)
}

function octal(p: usize, digits: u32, value: u64): void {
  for (let i = digits; i > 0; i--) {
    store<u8>(p + i - 1, <u8>(48 + (value & 7)))
    value >>= 3
  }
}

// --- records -------------------------------------------------------------------------------------------------

let body: usize = 0
let used: u32 = 0
let overflow: bool = false

function digitsOf(n: u64): u32 {
  let digits: u32 = 1
  while (n >= 10) {
    n /= 10
    digits++
  }
  return digits
}

function put(p: usize, n: u32): void {
  memory.copy(body + used, p, n)
  used += n
}
@inline function putByte(c: u8): void {
  store<u8>(body + used, c)
  used++
}
function putDecimal(n: u64): void {
  const digits = digitsOf(n)
  for (let i = digits; i > 0; i--) {
    store<u8>(body + used + i - 1, <u8>(48 + (n % 10)))
    n /= 10
  }
  used += digits
}

// "length key=": the length counts its own digits. False where the body would be too long.
function open(keyLength: u32, valueLength: u32): bool {
  const rest = keyLength + valueLength + 3
  let n = rest + digitsOf(rest)
  if (digitsOf(n) != digitsOf(rest)) n = rest + digitsOf(n)
  if (used + n > MAX_BODY) {
    overflow = true
    return false
  }
  putDecimal(n)
  putByte(32)
  return true
}

// A key of up to eight characters, as the bytes of a number.
function record(key: u64, keyLength: u32, value: usize, valueLength: u32): void {
  if (!open(keyLength, valueLength)) return
  store<u64>(body + used, key)
  used += keyLength
  putByte(61)
  put(value, valueLength)
  putByte(10)
}

function numberRecord(key: u64, keyLength: u32, value: f64): void {
  record(key, keyLength, DIGITS, decimalText(DIGITS, <u64>value))
}

function decimalText(p: usize, value: u64): u32 {
  const digits = digitsOf(value)
  for (let i = digits; i > 0; i--) {
    store<u8>(p + i - 1, <u8>(48 + (value % 10)))
    value /= 10
  }
  return digits
}

function timeRecord(negative: bool, whole: u64, nanos: u32): void {
  let n: u32 = 0
  if (negative) store<u8>(DIGITS + n++, 45)
  n += decimalText(DIGITS + n, whole)
  if (nanos != 0) {
    store<u8>(DIGITS + n++, 46)
    for (let unit: u32 = 100000000; nanos != 0; unit /= 10) {
      store<u8>(DIGITS + n++, <u8>(48 + nanos / unit))
      nanos %= unit
    }
  }
  record(0x656d69746d, 5, DIGITS, n) // mtime
}

function xattrRecords(p: usize, n: u32): void {
  const end = p + n
  while (p < end) {
    const keyLength = load<u32>(p)
    const valueLength = load<u32>(p, 4)
    const key = p + 8
    const value = key + keyLength
    p = value + valueLength
    assert(keyLength <= n && valueLength <= n && p <= end)
    if (!open(13 + keyLength, valueLength)) return
    store<u64>(body + used, 0x782e594c49484353) // SCHILY.x
    store<u32>(body + used, 0x72747461, 8) // attr
    store<u8>(body + used, 46, 12)
    used += 13
    put(key, keyLength)
    putByte(61)
    put(value, valueLength)
    putByte(10)
  }
}

// --- headers -------------------------------------------------------------------------------------------------

function seal(p: usize): void {
  memory.fill(p + 148, 32, 8)
  octal(p + 148, 6, <u64>sumBlock(p))
  store<u8>(p, 0, 154)
}

function begin(p: usize, type: u8): void {
  memory.fill(p, 0, 512)
  store<u8>(p, type, 156)
  store<u32>(p, 0x61747375, 257) // ustar
  store<u8>(p, 114, 261)
  store<u16>(p, 0x3030, 263)
}

function numbers(p: usize, mode: u32, uid: f64, gid: f64, size: f64, mtime: u64, devmajor: u32, devminor: u32): void {
  octal(p + 100, 7, mode & 0o7777)
  octal(p + 108, 7, uid <= MAX_OCTAL_7 ? <u64>uid : 0)
  octal(p + 116, 7, gid <= MAX_OCTAL_7 ? <u64>gid : 0)
  octal(p + 124, 11, size <= MAX_OCTAL_11 ? <u64>size : 0)
  octal(p + 136, 11, mtime)
  octal(p + 329, 7, devmajor)
  octal(p + 337, 7, devminor)
}

// The ASCII characters of a text, as far as a field has room: what a reader without pax would see.
function asciiField(to: usize, room: u32, from: usize, n: u32): void {
  let used: u32 = 0
  for (let i: u32 = 0; i < n && used < room; i++) {
    const c = load<u8>(from + i)
    if (c < 128) store<u8>(to + used++, c)
  }
}

// Where to cut a path between prefix and name, or 0 where it cannot be cut.
function cut(p: usize, n: u32): u32 {
  for (let i = min<u32>(155, n - 2); i > 0; i--) {
    if (load<u8>(p + i) == 47) return n - i - 1 <= 100 ? i : 0
  }
  return 0
}

function paxHeader(path: usize, pathLength: u32): void {
  begin(OUTPUT, 120)
  store<u64>(OUTPUT, 0x6564616548786150) // PaxHeade
  store<u64>(OUTPUT, 0x2f302e7372, 8) // rs.0/
  let end = pathLength
  while (end > 1 && load<u8>(path + end - 1) == 47) end--
  let base = end
  while (base > 0 && load<u8>(path + base - 1) != 47) base--
  asciiField(OUTPUT + 13, 87, path + base, end - base)
  numbers(OUTPUT, 0o644, 0, 0, <f64>used, 0, 0, 0)
  seal(OUTPUT)
  const padding = (512 - (used & 511)) & 511
  memory.fill(body + used, 0, padding)
  used += padding
}

/** Writes the header; gives its length, a multiple of 512, or what is wrong with the entry. */
export function write(
  pathLength: u32, linkLength: u32, xattrLength: u32, type: u8, mode: u32, uid: f64, gid: f64, size: f64, mtime: f64,
  devmajor: f64, devminor: f64,
): i32 {
  assert(pathLength <= INPUT_BYTES && linkLength <= INPUT_BYTES && xattrLength <= INPUT_BYTES)
  assert(pathLength + linkLength + xattrLength <= INPUT_BYTES)
  const path = INPUT
  const link = path + pathLength
  if (pathLength == 0 || contains(path, pathLength, 0, 0)) return INVALID_PATH
  if (contains(link, linkLength, 0, 0)) return INVALID_LINK
  if (!isWhole(size, MAX_SAFE) || !isWhole(uid, 4294967295) || !isWhole(gid, 4294967295)) return INVALID_NUMBER
  if (!isWhole(devmajor, MAX_OCTAL_7) || !isWhole(devminor, MAX_OCTAL_7)) return INVALID_NUMBER
  if (!(abs(mtime) <= MAX_SAFE)) return INVALID_NUMBER

  let whole = <u64>floor(abs(mtime))
  let nanos = <u32>nearest((abs(mtime) - floor(abs(mtime))) * 1e9)
  if (nanos == 1000000000) {
    whole++
    nanos = 0
  }
  const negative = mtime < 0
  const timeFits = nanos == 0 && !negative && <f64>whole <= MAX_OCTAL_11
  const linkFits = linkLength <= 100 && isAscii(link, linkLength)
  const pathAscii = isAscii(path, pathLength)
  const split: u32 = pathAscii && pathLength > 100 ? cut(path, pathLength) : 0
  const pathFits = pathAscii && (pathLength <= 100 || split > 0)

  body = OUTPUT + 512
  used = 0
  overflow = false
  xattrRecords(link + linkLength, xattrLength)
  if (gid > MAX_OCTAL_7) numberRecord(0x646967, 3, gid)
  if (!linkFits) record(0x687461706b6e696c, 8, link, linkLength)
  if (!timeFits) timeRecord(negative, whole, nanos)
  if (!pathFits) record(0x68746170, 4, path, pathLength)
  if (size > MAX_OCTAL_11) numberRecord(0x657a6973, 4, size)
  if (uid > MAX_OCTAL_7) numberRecord(0x646975, 3, uid)
  if (overflow) return TOO_LONG

  let p: usize = OUTPUT
  if (used > 0) {
    paxHeader(path, pathLength)
    p = body + used
  }
  begin(p, type)
  if (!pathFits) asciiField(p, 100, path, pathLength)
  else if (split > 0) {
    memory.copy(p + 345, path, split)
    memory.copy(p, path + split + 1, pathLength - split - 1)
  } else memory.copy(p, path, pathLength)
  if (linkFits) memory.copy(p + 157, link, linkLength)
  else asciiField(p + 157, 100, link, linkLength)
  numbers(p, mode, uid, gid, size, timeFits ? whole : 0, <u32>devmajor, <u32>devminor)
  seal(p)
  return <i32>(p + 512 - OUTPUT)
}

@inline function isWhole(value: f64, limit: f64): bool {
  return value >= 0 && value <= limit && floor(value) == value
}
