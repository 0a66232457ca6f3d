// Reads the headers of a tar archive (v7, ustar, pax, GNU) into columns.
//
// The host owns the memory: it fills WINDOW with a piece of the archive and calls `scan`, which walks from header to
// header, and returns MORE when the next one is not wholly in the window, FLUSH when the columns or the arena of
// names are full and must be copied out, END at the archive's end, or an error's number. Sources: POSIX.1-2024 pax,
// "Extended Header File Format"; GNU tar manual, "Basic Tar Format". Where they leave a choice this does what Go's
// archive/tar does, which wrote most of the world's layers.

import { highBytes, sumBlock, textLength } from './bytes'
import { bad, clearBad, markBad, numeric } from './tar-number'
import {
  F_GID, F_LINK, F_MTIME, F_PATH, F_SIZE, F_UID, Overrides, PAX_NUMBER, PAX_OK, PAX_SPARSE, PAX_UNSUPPORTED,
  arenaUsed, clear, drainArena, global, keep, local, readPax, resetArena,
} from './tar-pax'

export const MORE: i32 = 0
export const FLUSH: i32 = 1
export const END: i32 = 2
export const CHECKSUM: i32 = 16
export const TRUNCATED: i32 = 17
export const SPARSE: i32 = 18
export const NUMBER: i32 = 19
export const NAME_TOO_LONG: i32 = 20
export const PAX: i32 = 21
export const UNSUPPORTED: i32 = 22
export const LONE_ZERO: i32 = 23

export const ROWS: u32 = 8192
/** The longest body of a long name or an extended header. */
export const MAX_SPECIAL: u32 = 1 << 20

// Columns, each of ROWS values.
export const DATA_OFFSET: usize = 4096
export const SIZE: usize = DATA_OFFSET + 8 * 8192
export const MTIME: usize = SIZE + 8 * 8192
export const MODE: usize = MTIME + 8 * 8192
export const UID: usize = MODE + 4 * 8192
export const GID: usize = UID + 4 * 8192
export const DEVMAJOR: usize = GID + 4 * 8192
export const DEVMINOR: usize = DEVMAJOR + 4 * 8192
export const PATH_OFFSET: usize = DEVMINOR + 4 * 8192
export const PATH_LENGTH: usize = PATH_OFFSET + 4 * 8192
export const LINK_OFFSET: usize = PATH_LENGTH + 4 * 8192
export const LINK_LENGTH: usize = LINK_OFFSET + 4 * 8192
export const XATTR_OFFSET: usize = LINK_LENGTH + 4 * 8192
export const XATTR_LENGTH: usize = XATTR_OFFSET + 4 * 8192
export const TYPE: usize = XATTR_LENGTH + 4 * 8192
export const ARENA: usize = 655360
export const ARENA_BYTES: u32 = 4 << 20
export const WINDOW: usize = 655360 + (4 << 20)
export const WINDOW_BYTES: u32 = 3 << 20
export const MEMORY_BYTES: u32 = 655360 + (4 << 20) + (3 << 20)

const SLASH: usize = 2048
const BLOCK: u64 = 512
const MAX_SAFE: i64 = 9007199254740991
const MAX_U32: i64 = 0xffffffff


let rows: u32 = 0
let next: u64 = 0
let zero: bool = false
let ended: bool = false
// An extended header or a long name waits for its entry.
let pending: bool = false
let gnuPathOffset: u32 = 0
let gnuPathIsFolder: bool = false
let gnuPathLength: u32 = 0
let gnuLinkOffset: u32 = 0
let gnuLinkLength: u32 = 0
let hasGnuPath: bool = false
let hasGnuLink: bool = false

/** Makes ready for an archive. */
export function reset(): void {
  rows = 0
  next = 0
  zero = false
  ended = false
  store<u8>(SLASH, 47)
  resetArena(ARENA)
  clear(global)
  forget()
}

function forget(): void {
  pending = false
  hasGnuPath = false
  hasGnuLink = false
  clear(local)
}

export function rowCount(): u32 {
  return rows
}
export function arenaBytes(): u32 {
  return arenaUsed
}
/** Where the next header lies, in bytes from the archive's start; after an error, the header at fault. */
export function nextHeader(): f64 {
  return <f64>next
}
/** 1 while an extended header waits for its entry. */
export function isPending(): i32 {
  return <i32>pending
}
/** The host has copied columns and arena out. */
export function drain(): void {
  rows = 0
  drainArena()
}

/** Walks the first `length` bytes of the window, which lie `windowStart` bytes into the archive. */
export function scan(length: u32, windowStart: f64): i32 {
  assert(length <= WINDOW_BYTES)
  const start = <u64>windowStart
  while (true) {
    if (ended) return END
    assert(next >= start)
    const relative = next - start
    if (relative + BLOCK > <u64>length) return MORE
    const status = header(WINDOW + <usize>relative, length - <u32>relative)
    if (status != CONTINUE) return status
  }
}

const CONTINUE: i32 = -1

function isZero(p: usize): bool {
  return load<u8>(p) == 0 && sumBlock(p) == 0
}

// The eight bytes of the checksum count as spaces. Some old writers summed signed bytes.
function checksumFits(p: usize): bool {
  clearBad()
  const want = numeric(p + 148, 8)
  if (bad) return false
  let sum = sumBlock(p) + 8 * 32
  for (let i: usize = 148; i < 156; i++) sum -= <u32>load<u8>(p + i)
  if (want == <i64>sum) return true
  const field = i8x16.bitmask(v128.load(p + 148)) & 0xff
  return want == <i64>sum - 256 * <i64>(highBytes(p) - <u32>popcnt(field))
}

function header(p: usize, available: u32): i32 {
  if (isZero(p)) {
    if (pending) return TRUNCATED
    ended = zero
    zero = true
    next += BLOCK
    return CONTINUE
  }
  if (zero) return LONE_ZERO
  if (!checksumFits(p)) return CHECKSUM
  const type = load<u8>(p, 156)
  if (type == 83) return SPARSE // S
  if (type == 77 || type == 86 || type == 68 || type == 78) return UNSUPPORTED // M V D N
  clearBad()
  const size = numeric(p + 124, 12)
  if (bad || size < 0 || size > MAX_SAFE) return NUMBER
  // x and X, g, L, K
  const special = type == 120 || type == 88 || type == 103 || type == 76 || type == 75
  if (special) {
    if (size > <i64>MAX_SPECIAL) return NAME_TOO_LONG
    if (<u64>BLOCK + padded(<u64>size) > <u64>available) return MORE
  }
  const room = special ? <u32>size + 1024 : 1024
  if (rows == ROWS || arenaUsed + room > ARENA_BYTES) return FLUSH
  return special ? extension(p, type, <u32>size) : entry(p, type, size)
}

@inline function endsInSlash(p: usize, n: u32): bool {
  return n > 0 && load<u8>(p + n - 1) == 47
}

@inline function padded(size: u64): u64 {
  return (size + 511) & ~(<u64>511)
}

function extension(p: usize, type: u8, size: u32): i32 {
  const body = p + 512
  if (type == 76 || type == 75) {
    const n = textLength(body, size)
    const at = keep(body, n)
    if (type == 76) {
      hasGnuPath = n > 0
      gnuPathOffset = at
      gnuPathLength = n
      gnuPathIsFolder = endsInSlash(body, n)
    } else {
      hasGnuLink = n > 0
      gnuLinkOffset = at
      gnuLinkLength = n
    }
    pending = true
  } else {
    const isGlobal = type == 103
    if (!isGlobal) {
      clear(local)
      pending = true
    }
    const status = readPax(body, size, isGlobal ? global : local, isGlobal)
    if (status == PAX_SPARSE) return SPARSE
    if (status == PAX_UNSUPPORTED) return UNSUPPORTED
    if (status == PAX_NUMBER) return NUMBER
    if (status != PAX_OK) return PAX
  }
  next += BLOCK + padded(size)
  return CONTINUE
}

// The extended header whose word counts for a field, or null where the plain header's does.
function overriding(f: u32): Overrides | null {
  if (local.has & f) return local
  return (global.has & ~local.cleared) & f ? global : null
}

function entry(p: usize, rawType: u8, headerSize: i64): i32 {
  // Without "ustar" the header is of v7, and its rest is no field; GNU's is "ustar  ", and has no prefix.
  const ustar = load<u32>(p, 257) == 0x61747375 && load<u8>(p, 261) == 114
  const posix = ustar && load<u8>(p, 262) == 0

  clearBad()
  const mode = numeric(p + 100, 8)
  let o = overriding(F_UID)
  const uid = o ? o.uid : numeric(p + 108, 8)
  o = overriding(F_GID)
  const gid = o ? o.gid : numeric(p + 116, 8)
  o = overriding(F_MTIME)
  const mtime = o ? o.mtime : safe(numeric(p + 136, 12))
  o = overriding(F_SIZE)
  let size = o ? o.size : headerSize
  let devmajor: i64 = 0
  let devminor: i64 = 0
  if (ustar && (rawType == 51 || rawType == 52)) {
    devmajor = numeric(p + 329, 8)
    devminor = numeric(p + 337, 8)
  }
  if (bad || isBeyond(mode) || isBeyond(uid) || isBeyond(gid) || isBeyond(devmajor) || isBeyond(devminor)) {
    return NUMBER
  }

  const r = <usize>rows
  let pathOffset: u32
  let pathLength: u32
  let isFolder: bool
  o = overriding(F_PATH)
  if (hasGnuPath) {
    pathOffset = gnuPathOffset
    pathLength = gnuPathLength
    isFolder = gnuPathIsFolder
  } else if (o) {
    pathOffset = o.pathOffset
    pathLength = o.pathLength
    isFolder = o.pathIsFolder
  } else {
    const n = textLength(p, 100)
    const prefix = posix ? textLength(p + 345, 155) : 0
    isFolder = prefix > 0 && n == 0 ? true : endsInSlash(p, n)
    if (prefix > 0) {
      pathOffset = keep(p + 345, prefix)
      keep(SLASH, 1)
      keep(p, n)
      pathLength = prefix + 1 + n
    } else {
      pathOffset = keep(p, n)
      pathLength = n
    }
  }
  let type = rawType
  if (type == 0) type = isFolder ? 53 : 48

  let linkOffset: u32 = 0
  let linkLength: u32 = 0
  if (type == 49 || type == 50) {
    o = overriding(F_LINK)
    if (hasGnuLink) {
      linkOffset = gnuLinkOffset
      linkLength = gnuLinkLength
    } else if (o) {
      linkOffset = o.linkOffset
      linkLength = o.linkLength
    } else {
      linkLength = textLength(p + 157, 100)
      linkOffset = keep(p + 157, linkLength)
    }
  }
  // Links, devices, folders and pipes have no data, whatever their size says.
  if (type >= 49 && type <= 54) size = 0

  store<f64>(DATA_OFFSET + 8 * r, <f64>(next + BLOCK))
  store<f64>(SIZE + 8 * r, <f64>size)
  store<f64>(MTIME + 8 * r, mtime)
  store<u32>(MODE + 4 * r, <u32>mode & 0o7777)
  store<u32>(UID + 4 * r, <u32>uid)
  store<u32>(GID + 4 * r, <u32>gid)
  store<u32>(DEVMAJOR + 4 * r, <u32>devmajor)
  store<u32>(DEVMINOR + 4 * r, <u32>devminor)
  store<u32>(PATH_OFFSET + 4 * r, pathOffset)
  store<u32>(PATH_LENGTH + 4 * r, pathLength)
  store<u32>(LINK_OFFSET + 4 * r, linkOffset)
  store<u32>(LINK_LENGTH + 4 * r, linkLength)
  store<u32>(XATTR_OFFSET + 4 * r, local.xattrOffset)
  store<u32>(XATTR_LENGTH + 4 * r, local.xattrLength)
  store<u8>(TYPE + r, type)
  rows++
  if (pending) forget()
  next += BLOCK + padded(<u64>size)
  return CONTINUE
}

@inline function isBeyond(value: i64): bool {
  return value < 0 || value > MAX_U32
}

@inline function safe(value: i64): f64 {
  if (value > MAX_SAFE || value < -MAX_SAFE) markBad()
  return <f64>value
}
