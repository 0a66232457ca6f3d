// The route table: one writer builds a table in whichever of two arenas readers do not use, and publishes it
// by one atomic store. Readers in other threads run `lookup` over the same shared memory.
//
// Memory is owned by the host:
//   HEADER         magic, generation, writing, two descriptors
//   READER_AREA    READERS slots of READER_BYTES, one for each reading thread (owner words lie in the header)
//   ARENAS         the two arenas, placed by the host so that they never overlap
// An arena (u32 offsets from its base):
//   host slots     { tag, host + 1 }                                      open addressing, 8 bytes
//   path slots     { tag, route + 1 }                                     open addressing, 8 bytes
//   host records   { key offset, key length, longest path, 0 }            16 bytes
//   route records  { host, path offset, path length, value offset, value length, host offset, host length, 0 }
//   blob           the bytes of hosts, paths and values
// A wildcard `*.example.com` is kept under the key `.example.com`; the default host under the empty key.

import { lowerCase, same } from './bytes'

export const MAGIC: u32 = 0x31545552
export const MAGIC_AT: usize = 1024
export const GENERATION_AT: usize = 1088
export const WRITING_AT: usize = 1152
const WRITER_FENCE: usize = 1156
const DESCRIPTORS: usize = 1216
const DESCRIPTOR_BYTES: usize = 128
export const OWNERS_AT: usize = 2048
export const READERS: u32 = 128
export const READER_AREA: usize = 4096
export const READER_BYTES: usize = 65536 + 4096
export const ARENAS: usize = 4096 + 128 * (65536 + 4096)

// One reader's slot: result words, then host bytes, path bytes, and the list of hosts that matched.
export const RESULT_GENERATION: usize = 0
export const RESULT_OFFSET: usize = 4
export const RESULT_LENGTH: usize = 8
const READER_FENCE: usize = 12
export const HOST_INPUT: usize = 64
export const PATH_INPUT: usize = 64 + 24640
const MATCHED: usize = 64 + 24640 + 24640

export const MAX_KEY: u32 = 8192
export const NOT_FOUND: i32 = -1
export const RETRY: i32 = -2
export const OK: i32 = 0
export const DUPLICATE: i32 = 1
export const RESEED: i32 = 2

const HOST_RECORD: usize = 16
export const ROUTE_RECORD: usize = 32
// No probe is longer than this in a published table; a seed that would need longer ones is replaced.
const MAX_PROBE: u32 = 48

// Descriptor fields.
const D_BASE: usize = 0
const D_LENGTH: usize = 4
const D_HOST_MASK: usize = 8
const D_PATH_MASK: usize = 12
const D_PATH_SLOTS: usize = 16
const D_HOSTS: usize = 20
const D_ROUTES: usize = 24
const D_HOST_COUNT: usize = 28
const D_ROUTE_COUNT: usize = 32
const D_LONGEST_EXACT: usize = 36
const D_LONGEST_WILDCARD: usize = 40
const D_LONGEST_PATH: usize = 44
const D_SEED: usize = 48
const D_MULTIPLIER: usize = 56

// The descriptor in use, copied so that one lookup never mixes two tables.
let base: usize = 0
let length: u32 = 0
let hostMask: u32 = 0
let pathMask: u32 = 0
let pathSlots: usize = 0
let hosts: usize = 0
let routes: usize = 0
let hostCount: u32 = 0
let routeCount: u32 = 0
let longestExact: u32 = 0
let longestWildcard: u32 = 0
let longestPath: u32 = 0
let seed: u64 = 0
let multiplier: u64 = 0

// Plain reads and writes must not cross the atomic ones around them. A read-modify-write of a word that no other
// thread touches keeps them apart, and costs a few nanoseconds (the compiler cannot emit `atomic.fence`).
@inline function fence(word: usize): void {
  atomic.add<u32>(word, 1)
}

@inline function descriptor(generation: u32): usize {
  return DESCRIPTORS + <usize>(generation & 1) * DESCRIPTOR_BYTES
}

// Hashing: keyed by two secret words that are drawn afresh for each table. The fold after each multiplication
// keeps it from being a polynomial, which has collisions that hold under every key.
@inline function step(h: u64, c: u64): u64 {
  h = (h ^ c) * multiplier
  return h ^ (h >>> 29)
}
@inline function finish(h: u64): u64 {
  h ^= h >>> 32
  h *= 0xd6e8feb86659fd93
  return h ^ (h >>> 32)
}
@inline function tagOf(h: u64): u32 {
  return <u32>(h >>> 32)
}
@inline function pathHash(h: u64, host: u32): u64 {
  return finish(h ^ ((<u64>host + 1) * multiplier))
}

// --- reading -------------------------------------------------------------------------------------------------

/** 1 while nothing has been written over the table of `generation`. */
export function intact(scratch: usize, generation: u32): i32 {
  fence(scratch + READER_FENCE)
  return <i32>(atomic.load<u32>(WRITING_AT) - generation < 2)
}

function open(scratch: usize, generation: u32): bool {
  const d = descriptor(generation)
  base = <usize>load<u32>(d, D_BASE)
  length = load<u32>(d, D_LENGTH)
  hostMask = load<u32>(d, D_HOST_MASK)
  pathMask = load<u32>(d, D_PATH_MASK)
  pathSlots = <usize>load<u32>(d, D_PATH_SLOTS)
  hosts = <usize>load<u32>(d, D_HOSTS)
  routes = <usize>load<u32>(d, D_ROUTES)
  hostCount = load<u32>(d, D_HOST_COUNT)
  routeCount = load<u32>(d, D_ROUTE_COUNT)
  longestExact = load<u32>(d, D_LONGEST_EXACT)
  longestWildcard = load<u32>(d, D_LONGEST_WILDCARD)
  longestPath = load<u32>(d, D_LONGEST_PATH)
  seed = load<u64>(d, D_SEED)
  multiplier = load<u64>(d, D_MULTIPLIER)
  return intact(scratch, generation) != 0
}

@inline function inArena(offset: u32, n: u32): bool {
  return <u64>offset + <u64>n <= <u64>length
}

// A reader may be overtaken by the writer while it walks; then what it reads is noise. So each offset is checked
// against the arena and each walk is bounded, and the caller verifies the generation before it believes a result.
function findHost(h: u64, key: usize, n: u32): i32 {
  h = finish(h)
  const tag = tagOf(h)
  let s = <u32>h & hostMask
  for (let probe: u32 = 0; probe <= MAX_PROBE; probe++) {
    const slot = base + (<usize>s << 3)
    const entry = load<u32>(slot, 4)
    if (entry == 0) return NOT_FOUND
    if (load<u32>(slot) == tag && entry <= hostCount) {
      const record = base + hosts + <usize>(entry - 1) * HOST_RECORD
      const at = load<u32>(record)
      if (load<u32>(record, 4) == n && inArena(at, n) && same(base + at, key, n)) return <i32>(entry - 1)
    }
    s = (s + 1) & hostMask
  }
  return NOT_FOUND
}

function findPath(h: u64, host: u32, path: usize, n: u32): i32 {
  h = pathHash(h, host)
  const tag = tagOf(h)
  let s = <u32>h & pathMask
  for (let probe: u32 = 0; probe <= MAX_PROBE; probe++) {
    const slot = base + pathSlots + (<usize>s << 3)
    const entry = load<u32>(slot, 4)
    if (entry == 0) return NOT_FOUND
    if (load<u32>(slot) == tag && entry <= routeCount) {
      const record = base + routes + <usize>(entry - 1) * ROUTE_RECORD
      const at = load<u32>(record, 4)
      if (load<u32>(record) == host && load<u32>(record, 8) == n && inArena(at, n) && same(base + at, path, n)) {
        return <i32>(entry - 1)
      }
    }
    s = (s + 1) & pathMask
  }
  return NOT_FOUND
}

// The longest prefix of `path` that is a route of `host`: tried at each '/', and at the end.
function longestPrefix(host: u32, path: usize, n: u32): i32 {
  const record = base + hosts + <usize>host * HOST_RECORD
  let longest = load<u32>(record, 8)
  if (longest > longestPath) longest = longestPath
  let best = NOT_FOUND
  let h = seed
  let i: u32 = 0
  while (true) {
    const c: u8 = i < n ? load<u8>(path + i) : 0
    const end = i >= n || c == 63
    if (end || c == 47) {
      const found = findPath(h, host, path, i)
      if (found >= 0) best = found
    }
    if (end || i >= longest) return best
    h = step(h, <u64>c)
    i++
  }
}

function search(scratch: usize, hostLength: u32, pathLength: u32): i32 {
  const host = scratch + HOST_INPUT
  const path = scratch + PATH_INPUT
  if (hostLength > 0 && load<u8>(host + hostLength - 1) == 46) hostLength-- // `example.com.` is fully qualified
  lowerCase(host, hostLength)

  // From the right end, so that the hash of each suffix comes for free; suffixes that match are kept, longest last.
  const matched = scratch + MATCHED
  let count: u32 = 0
  let h = seed
  const reach = longestExact > longestWildcard ? longestExact : longestWildcard
  let i = hostLength
  while (i > 0 && hostLength - i <= reach) {
    i--
    const c = load<u8>(host + i)
    h = step(h, <u64>c)
    if (c == 46 && i > 0 && hostLength - i <= longestWildcard) {
      const wildcard = findHost(h, host + i, hostLength - i)
      if (wildcard >= 0) {
        store<u32>(matched + (<usize>count << 2), wildcard)
        count++
      }
    }
  }
  if (i == 0 && hostLength > 0 && hostLength <= longestExact && load<u8>(host) != 46) {
    const exact = findHost(h, host, hostLength)
    if (exact >= 0) {
      const found = longestPrefix(exact, path, pathLength)
      if (found >= 0) return found
    }
  }
  while (count > 0) {
    count--
    const found = longestPrefix(load<u32>(matched + (<usize>count << 2)), path, pathLength)
    if (found >= 0) return found
  }
  const fallback = findHost(seed, host, 0)
  return fallback >= 0 ? longestPrefix(fallback, path, pathLength) : NOT_FOUND
}

/**
 * Looks up the host and path that lie in a reader's slot. Gives a route's index, NOT_FOUND, or RETRY when the writer
 * overtook this reader. Stores the generation, and for a hit where its value lies.
 */
export function lookup(scratch: usize, hostLength: u32, pathLength: u32): i32 {
  assert(hostLength <= 24640 && pathLength <= 24640)
  const generation = atomic.load<u32>(GENERATION_AT)
  store<u32>(scratch, generation, RESULT_GENERATION)
  if (generation == 0) return NOT_FOUND
  if (!open(scratch, generation)) return RETRY
  const index = search(scratch, hostLength, pathLength)
  if (index >= 0) {
    const record = base + routes + <usize>index * ROUTE_RECORD
    const at = load<u32>(record, 12)
    const n = load<u32>(record, 16)
    if (!inArena(at, n)) return RETRY
    store<u32>(scratch, <u32>base + at, RESULT_OFFSET)
    store<u32>(scratch, n, RESULT_LENGTH)
  }
  return intact(scratch, generation) ? index : RETRY
}

// --- writing -------------------------------------------------------------------------------------------------

/** Where the current table lies, so that the next one is placed beside it. */
export function currentBase(): u32 {
  const generation = atomic.load<u32>(GENERATION_AT)
  return generation == 0 ? 0 : load<u32>(descriptor(generation), D_BASE)
}
export function currentLength(): u32 {
  const generation = atomic.load<u32>(GENERATION_AT)
  return generation == 0 ? 0 : load<u32>(descriptor(generation), D_LENGTH)
}

/** Tells readers that the older arena is about to be written over. Gives the coming generation. */
export function begin(): u32 {
  const next = atomic.load<u32>(GENERATION_AT) + 1
  atomic.store<u32>(WRITING_AT, next)
  fence(WRITER_FENCE)
  return next
}

function insert(slots: usize, mask: u32, h: u64, entry: u32): bool {
  let s = <u32>h & mask
  for (let probe: u32 = 0; probe < MAX_PROBE; probe++) {
    const slot = slots + (<usize>s << 3)
    if (load<u32>(slot, 4) == 0) {
      store<u32>(slot, tagOf(h))
      store<u32>(slot, entry, 4)
      return true
    }
    s = (s + 1) & mask
  }
  return false
}

/**
 * Builds the tables over `count` route records that the host has written, with the words of this table's key.
 * OK, DUPLICATE (`duplicate()` tells which route), or RESEED: call again with other words.
 */
export function build(
  at: usize, bytes: u32, hostBits: u32, pathBits: u32, count: u32, s: u64, m: u64,
): i32 {
  base = at
  length = bytes
  hostMask = (<u32>1 << hostBits) - 1
  pathMask = (<u32>1 << pathBits) - 1
  pathSlots = (<usize>1 << hostBits) << 3
  hosts = pathSlots + ((<usize>1 << pathBits) << 3)
  routes = hosts + <usize>count * HOST_RECORD
  hostCount = 0
  routeCount = count
  longestExact = 0
  longestWildcard = 0
  longestPath = 0
  seed = s
  multiplier = m | 1
  assert(<u64>routes + <u64>count * <u64>ROUTE_RECORD <= <u64>bytes)
  memory.fill(at, 0, hosts)

  for (let r: u32 = 0; r < count; r++) {
    const record = base + routes + <usize>r * ROUTE_RECORD
    const key = load<u32>(record, 20)
    const keyLength = load<u32>(record, 24)
    assert(inArena(key, keyLength) && inArena(load<u32>(record, 4), load<u32>(record, 8)))
    assert(inArena(load<u32>(record, 12), load<u32>(record, 16)))
    lowerCase(base + key, keyLength)
    let h = seed
    for (let i = keyLength; i > 0; i--) h = step(h, <u64>load<u8>(base + key + i - 1))
    let host = findHost(h, base + key, keyLength)
    if (host < 0) {
      host = <i32>hostCount
      hostCount++
      const hostRecord = base + hosts + <usize>host * HOST_RECORD
      store<u32>(hostRecord, key)
      store<u32>(hostRecord, keyLength, 4)
      store<u32>(hostRecord, 0, 8)
      if (!insert(base, hostMask, finish(h), hostCount)) return RESEED
      if (keyLength > 0 && load<u8>(base + key) == 46) longestWildcard = max(longestWildcard, keyLength)
      else longestExact = max(longestExact, keyLength)
    }
    store<u32>(record, host)

    const path = base + load<u32>(record, 4)
    const pathLength = load<u32>(record, 8)
    h = seed
    for (let i: u32 = 0; i < pathLength; i++) h = step(h, <u64>load<u8>(path + i))
    if (findPath(h, host, path, pathLength) >= 0) {
      duplicated = r
      return DUPLICATE
    }
    if (!insert(base + pathSlots, pathMask, pathHash(h, host), r + 1)) return RESEED
    const hostRecord = base + hosts + <usize>host * HOST_RECORD
    store<u32>(hostRecord, max(load<u32>(hostRecord, 8), pathLength), 8)
    longestPath = max(longestPath, pathLength)
  }
  return OK
}

let duplicated: u32 = 0
export function duplicate(): u32 {
  return duplicated
}

/** Makes the table that was just built the one that every thread sees. */
export function commit(generation: u32): void {
  const d = descriptor(generation)
  store<u32>(d, <u32>base, D_BASE)
  store<u32>(d, length, D_LENGTH)
  store<u32>(d, hostMask, D_HOST_MASK)
  store<u32>(d, pathMask, D_PATH_MASK)
  store<u32>(d, <u32>pathSlots, D_PATH_SLOTS)
  store<u32>(d, <u32>hosts, D_HOSTS)
  store<u32>(d, <u32>routes, D_ROUTES)
  store<u32>(d, hostCount, D_HOST_COUNT)
  store<u32>(d, routeCount, D_ROUTE_COUNT)
  store<u32>(d, longestExact, D_LONGEST_EXACT)
  store<u32>(d, longestWildcard, D_LONGEST_WILDCARD)
  store<u32>(d, longestPath, D_LONGEST_PATH)
  store<u64>(d, seed, D_SEED)
  store<u64>(d, multiplier, D_MULTIPLIER)
  fence(WRITER_FENCE)
  atomic.store<u32>(GENERATION_AT, generation)
}
