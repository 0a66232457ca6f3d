// What a table looks like in memory, and how keys are found in it.
//
//   header         magic, generation, writing, two descriptors, the owners of the readers' slots
//   READER_AREA    READERS slots of READER_BYTES, one for each reading thread
//   ARENAS         the two arenas, placed by the host so that they never overlap
//
// An arena (all u32; offsets count from its base):
//   host slots     { tag, host + 1 }                                      open addressing
//   path slots     { tag, route + 1 }                                     open addressing
//   hosts          { key offset, key length, longest path, 0 }
//   routes         { host, path offset, path length, value offset, value length, key offset, key length, 0 }
//   blob           the bytes of host keys, paths and values
//
// A wildcard `*.example.com` is kept under the key `.example.com`, the default host under the empty key.

import { same } from './bytes'

export const MAGIC: u32 = 0x31545552
export const MAGIC_AT: usize = 1024
export const GENERATION_AT: usize = 1088
export const WRITING_AT: usize = 1152
export const WRITER_FENCE: usize = 1156
const DESCRIPTORS: usize = 1216
const DESCRIPTOR_BYTES: usize = 128
export const OWNERS_AT: usize = 2048
export const READERS: u32 = 128
export const READER_AREA: usize = 4096
export const READER_BYTES: usize = 69632
export const ARENAS: usize = 4096 + 128 * 69632

// A reader's slot. Texts are of 8192 characters at most, so of 24,576 bytes.
export const RESULT_GENERATION: usize = 0
export const RESULT_OFFSET: usize = 4
export const RESULT_LENGTH: usize = 8
export const READER_FENCE: usize = 12
export const READER_TABLE: usize = 64
export const MAX_TEXT: u32 = 24640
export const HOST_INPUT: usize = 192
export const PATH_INPUT: usize = 192 + 24640
export const MATCHED: usize = 192 + 2 * 24640

export const NOT_FOUND: i32 = -1
export const RETRY: i32 = -2
export const OK: i32 = 0
export const DUPLICATE: i32 = 1
export const RESEED: i32 = 2

export const HOST_RECORD: usize = 16
export const ROUTE_RECORD: usize = 32
/** No key lies farther from its place than this; a hash key that would need more is thrown away. */
export const MAX_PROBE: u32 = 48

/** What describes a table: where its parts lie, and the key of its hashes. */
@unmanaged
export class Table {
  base: usize
  length: u32
  hostMask: u32
  pathMask: u32
  hostCount: u32
  routeCount: u32
  /** Offsets. */
  pathSlots: usize
  hosts: usize
  routes: usize
  /** Lengths of the longest keys, so that no lookup looks at more of its input. */
  longestExact: u32
  longestWildcard: u32
  longestPath: u32
  seed: u64
  multiplier: u64
}

@unmanaged
export class Host {
  key: u32
  keyLength: u32
  longestPath: u32
}

@unmanaged
export class Route {
  host: u32
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
@inline export function hostAt(t: Table, i: u32): Host {
  return changetype<Host>(t.base + t.hosts + <usize>i * HOST_RECORD)
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

// Hashes are keyed by two secret words that are drawn afresh for each table. The fold after each multiplication keeps
// them from being a polynomial, which has collisions that hold under every key.
@inline export function step(t: Table, h: u64, c: u64): u64 {
  h = (h ^ c) * t.multiplier
  return h ^ (h >>> 29)
}
@inline export function finish(h: u64): u64 {
  h ^= h >>> 32
  h *= 0xd6e8feb86659fd93
  return h ^ (h >>> 32)
}
@inline export function pathHash(t: Table, h: u64, host: u32): u64 {
  return finish(h ^ ((<u64>host + 1) * t.multiplier))
}
@inline export function tagOf(h: u64): u32 {
  return <u32>(h >>> 32)
}

@inline export function inArena(t: Table, offset: u32, n: u32): bool {
  return <u64>offset + <u64>n <= <u64>t.length
}

// A reader may be overtaken by the writer while it walks; then what it reads is noise. So each offset is checked
// against the arena and each walk is bounded, and the caller verifies the generation before it believes a result.

/** The host of a key, whose hash is finished here, or NOT_FOUND. */
export function findHost(t: Table, h: u64, key: usize, n: u32): i32 {
  h = finish(h)
  const tag = tagOf(h)
  let s = <u32>h & t.hostMask
  for (let probe: u32 = 0; probe < MAX_PROBE; probe++) {
    const slot = t.base + (<usize>s << 3)
    const entry = load<u32>(slot, 4)
    if (entry == 0) return NOT_FOUND
    if (load<u32>(slot) == tag && entry <= t.hostCount) {
      const host = hostAt(t, entry - 1)
      const at = host.key
      if (host.keyLength == n && inArena(t, at, n) && same(t.base + at, key, n)) return <i32>(entry - 1)
    }
    s = (s + 1) & t.hostMask
  }
  return NOT_FOUND
}

/** The route of a host and a whole prefix, or NOT_FOUND. */
export function findPath(t: Table, h: u64, host: u32, path: usize, n: u32): i32 {
  h = pathHash(t, h, host)
  const tag = tagOf(h)
  let s = <u32>h & t.pathMask
  for (let probe: u32 = 0; probe < MAX_PROBE; probe++) {
    const slot = t.base + t.pathSlots + (<usize>s << 3)
    const entry = load<u32>(slot, 4)
    if (entry == 0) return NOT_FOUND
    if (load<u32>(slot) == tag && entry <= t.routeCount) {
      const route = routeAt(t, entry - 1)
      const at = route.path
      if (route.host == host && route.pathLength == n && inArena(t, at, n) && same(t.base + at, path, n)) {
        return <i32>(entry - 1)
      }
    }
    s = (s + 1) & t.pathMask
  }
  return NOT_FOUND
}
