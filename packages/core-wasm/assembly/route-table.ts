// What a table looks like in memory, and how keys are found in it.
//
//   header         magic, generation, writing, two descriptors, the owners of the readers' slots
//   READER_AREA    READERS slots of READER_BYTES, one for each reading thread
//   ARENAS         the two arenas, placed by the host so that they never overlap
//
// An arena (offsets count from its base):
//   host slots     { tag and key length, key offset, longest path, used }      open addressing
//   path slots     { tag and path length, path offset, host slot, route + 1 }  open addressing
//   routes         { path offset, path length, value offset, value length, key offset, key length }
//   blob           the bytes of host keys, paths and values
//
// A slot tells all that a search needs but the key's bytes, so that a lookup touches few lines of cache. A wildcard
// `*.example.com` is kept under the key `.example.com`, the default host under the empty key.

import { same } from './bytes'

export const MAGIC: u32 = 0x32545552
export const MAGIC_AT: usize = 1024
export const GENERATION_AT: usize = 1088
export const WRITING_AT: usize = 1152
export const WRITER_FENCE: usize = 1156
const DESCRIPTORS: usize = 1216
const DESCRIPTOR_BYTES: usize = 128
export const OWNERS_AT: usize = 2048
export const READERS: u32 = 64
export const READER_AREA: usize = 4096
export const READER_BYTES: usize = 202752
export const ARENAS: usize = 4096 + 64 * 202752

// A reader's slot. Texts are of 8193 characters at most, so of 24,579 bytes.
export const RESULT_GENERATION: usize = 0
export const RESULT_OFFSET: usize = 4
export const RESULT_LENGTH: usize = 8
export const READER_FENCE: usize = 12
export const READER_TABLE: usize = 64
export const MAX_TEXT: u32 = 24640
export const HOST_INPUT: usize = 192
export const PATH_INPUT: usize = 192 + 24704
/** Hosts whose wildcard matches, u32 each. */
export const MATCHED: usize = 192 + 2 * 24704
/** Prefixes of the path: { hash u64, length u32, 0 }, 8194 at most. */
export const PREFIXES: usize = 192 + 2 * 24704 + 4 * 4104

export const NOT_FOUND: i32 = -1
export const RETRY: i32 = -2
export const OK: i32 = 0
export const DUPLICATE: i32 = 1
export const RESEED: i32 = 2

export const ROUTE_RECORD: usize = 32
/** A key may be read this far past its end. */
export const ARENA_SLACK: u32 = 16
/** No key lies farther from its place than this; a hash key that would need more is thrown away. */
export const MAX_PROBE: u32 = 48

/** What describes a table: where its parts lie, and the key of its hashes. */
@unmanaged
export class Table {
  base: usize
  length: u32
  mask: u32
  routeCount: u32
  /** Offsets; host slots are at 0. */
  pathSlots: usize
  routes: usize
  /** Lengths of the longest keys, so that no lookup looks at more of its input. */
  longestExact: u32
  longestWildcard: u32
  longestPath: u32
  seed: u64
  multiplier: u64
  scramble: u64
}

@unmanaged
export class HostSlot {
  tag: u32
  key: u32
  longestPath: u32
  used: u32
}

@unmanaged
export class PathSlot {
  tag: u32
  path: u32
  host: u32
  route: u32
}

@unmanaged
export class Route {
  path: u32
  pathLength: u32
  value: u32
  valueLength: u32
  key: u32
  keyLength: u32
}

@inline export function descriptor(generation: u32): Table {
  return changetype<Table>(DESCRIPTORS + <usize>(generation & 1) * DESCRIPTOR_BYTES)
}
@inline export function hostAt(t: Table, slot: u32): HostSlot {
  return changetype<HostSlot>(t.base + (<usize>slot << 4))
}
@inline export function pathAt(t: Table, slot: u32): PathSlot {
  return changetype<PathSlot>(t.base + t.pathSlots + (<usize>slot << 4))
}
@inline export function routeAt(t: Table, i: u32): Route {
  return changetype<Route>(t.base + t.routes + <usize>i * ROUTE_RECORD)
}

/**
 * Plain reads and writes must not cross the atomic ones around them. A read-modify-write of a word that no other
 * thread touches keeps them apart, and costs a few nanoseconds (the compiler cannot emit `atomic.fence`).
 */
@inline export function fence(word: usize): void {
  atomic.add<u32>(word, 1)
}

// --- hashes --------------------------------------------------------------------------------------------------
// They are keyed by three secret words that are drawn afresh for each table. What a word changes is spread by one
// secret factor, turned, and spread by another: no two keys collide under every secret, so nobody can fill a table
// with keys that lie in one place.

@inline function step(t: Table, h: u64, word: u64): u64 {
  return rotl<u64>(h ^ (word * t.scramble), 31) * t.multiplier
}

/** Takes a run of bytes in, eight at a time; the last word, which may be empty, tells how many it holds. */
export function absorb(t: Table, h: u64, p: usize, n: u32): u64 {
  while (n >= 8) {
    h = step(t, h, load<u64>(p))
    p += 8
    n -= 8
  }
  const tail = load<u64>(p) & ((<u64>1 << (n << 3)) - 1)
  return step(t, h, tail | (<u64>(n + 1) << 56))
}

@inline function finish(h: u64): u64 {
  h ^= h >>> 32
  h *= 0xd6e8feb86659fd93
  return h ^ (h >>> 32)
}
@inline export function exactHash(h: u64): u64 {
  return finish(h)
}
@inline export function wildcardHash(t: Table, h: u64): u64 {
  return finish(h + t.multiplier)
}
@inline export function pathHash(t: Table, h: u64, host: u32): u64 {
  return finish(h ^ ((<u64>host + 1) * t.multiplier))
}
/** Sixteen bits of the hash, and the key's length. */
@inline export function tagOf(h: u64, n: u32): u32 {
  return (<u32>(h >>> 32) & 0xffff0000) | n
}

// --- searches ------------------------------------------------------------------------------------------------
// A reader may be overtaken by the writer while it walks; then what it reads is noise. So each offset is checked
// against the arena and each walk is bounded, and the caller verifies the generation before it believes a result.

@inline export function inArena(t: Table, offset: u32, n: u32): bool {
  return <u64>offset + <u64>n + <u64>ARENA_SLACK <= <u64>t.length
}

/** The slot of a host key, or NOT_FOUND. */
export function findHost(t: Table, h: u64, key: usize, n: u32): i32 {
  const tag = tagOf(h, n)
  let s = <u32>h & t.mask
  for (let probe: u32 = 0; probe < MAX_PROBE; probe++) {
    const slot = hostAt(t, s)
    if (slot.used == 0) return NOT_FOUND
    if (slot.tag == tag) {
      const at = slot.key
      if (inArena(t, at, n) && same(t.base + at, key, n)) return <i32>s
    }
    s = (s + 1) & t.mask
  }
  return NOT_FOUND
}

/** The route of a host's slot and a whole prefix, or NOT_FOUND. `h` is the prefix's hash. */
export function findPath(t: Table, h: u64, host: u32, path: usize, n: u32): i32 {
  h = pathHash(t, h, host)
  const tag = tagOf(h, n)
  let s = <u32>h & t.mask
  for (let probe: u32 = 0; probe < MAX_PROBE; probe++) {
    const slot = pathAt(t, s)
    const route = slot.route
    if (route == 0) return NOT_FOUND
    if (slot.tag == tag && slot.host == host && route <= t.routeCount) {
      const at = slot.path
      if (inArena(t, at, n) && same(t.base + at, path, n)) return <i32>(route - 1)
    }
    s = (s + 1) & t.mask
  }
  return NOT_FOUND
}
