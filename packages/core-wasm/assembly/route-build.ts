// The writing side of the route table.

import { lowerCase } from './bytes'
import {
  ARENA_SLACK, DUPLICATE, GENERATION_AT, MAX_PROBE, OK, RESEED, ROUTE_RECORD, Table, WRITER_FENCE, WRITING_AT, absorb,
  descriptor, exactHash, fence, findHost, findPath, hostAt, inArena, pathAt, pathHash, routeAt, tagOf, wildcardHash,
} from './route-table'

/** Where the current table lies, so that the next one is placed beside it; 0 before the first. */
export function currentBase(): u32 {
  const generation = atomic.load<u32>(GENERATION_AT)
  return generation == 0 ? 0 : <u32>descriptor(generation).base
}
export function currentLength(): u32 {
  const generation = atomic.load<u32>(GENERATION_AT)
  return generation == 0 ? 0 : descriptor(generation).length
}

/** Tells readers that the older table is about to be written over. Gives the coming generation. */
export function begin(): u32 {
  const next = atomic.load<u32>(GENERATION_AT) + 1
  atomic.store<u32>(WRITING_AT, next)
  fence(WRITER_FENCE)
  return next
}

/** Makes the table that was just built the one that every thread sees. */
export function commit(generation: u32): void {
  fence(WRITER_FENCE)
  atomic.store<u32>(GENERATION_AT, generation)
}

/** Where the route records begin in an arena of 2^bits slots of each kind. */
export function routesAt(bits: u32): u32 {
  return 32 << bits
}

let duplicated: u32 = 0
/** The second route of one host and path, after `build` gave DUPLICATE. */
export function duplicate(): u32 {
  return duplicated
}

/**
 * Builds the table of a coming generation over `count` routes that the host has written, with three secret words.
 * OK, DUPLICATE, or RESEED: call again with other words.
 */
export function build(
  generation: u32, base: usize, length: u32, bits: u32, count: u32, seed: u64, multiplier: u64, scramble: u64,
): i32 {
  const t = descriptor(generation)
  t.base = base
  t.length = length
  t.mask = (<u32>1 << bits) - 1
  t.routeCount = count
  t.pathSlots = <usize>16 << bits
  t.routes = routesAt(bits)
  t.longestExact = 0
  t.longestWildcard = 0
  t.longestPath = 0
  t.seed = seed
  t.multiplier = multiplier | 1
  t.scramble = scramble | 1
  assert(<u64>t.routes + <u64>count * <u64>ROUTE_RECORD + <u64>ARENA_SLACK <= <u64>length)
  memory.fill(base, 0, t.routes)
  for (let r: u32 = 0; r < count; r++) {
    const status = add(t, r)
    if (status != OK) return status
  }
  return OK
}

function add(t: Table, r: u32): i32 {
  const route = routeAt(t, r)
  const n = route.pathLength
  assert(inArena(t, route.key, route.keyLength) && inArena(t, route.path, n))
  assert(inArena(t, route.value, route.valueLength))
  const host = hostOf(t, route.key, route.keyLength)
  if (host < 0) return RESEED

  const path = t.base + route.path
  const h = hashPath(t, path, n)
  if (findPath(t, h, host, path, n) >= 0) {
    duplicated = r
    return DUPLICATE
  }
  const hash = pathHash(t, h, host)
  let s = <u32>hash & t.mask
  for (let probe: u32 = 0; probe < MAX_PROBE; probe++) {
    const slot = pathAt(t, s)
    if (slot.route == 0) {
      slot.tag = tagOf(hash, n)
      slot.path = route.path
      slot.host = host
      slot.route = r + 1
      const owner = hostAt(t, host)
      owner.longestPath = max(owner.longestPath, n)
      t.longestPath = max(t.longestPath, n)
      return OK
    }
    s = (s + 1) & t.mask
  }
  return RESEED
}

function hashPath(t: Table, path: usize, n: u32): u64 {
  let h = t.seed
  let start: u32 = 0
  for (let i: u32 = 1; i <= n; i++) {
    if (i < n && load<u8>(path + i) != 47) continue
    h = absorb(t, h, path + start, i - start)
    start = i
  }
  return h
}

function hashHost(t: Table, key: usize, n: u32): u64 {
  let h = t.seed
  let end = n
  for (let i = n; i > 0; ) {
    i--
    if (load<u8>(key + i) != 46) continue
    h = absorb(t, h, key + i + 1, end - i - 1)
    end = i
  }
  if (n == 0) return exactHash(h)
  return load<u8>(key) == 46 ? wildcardHash(t, h) : exactHash(absorb(t, h, key, end))
}

// The slot of a host key, which is new where the table has none; -1 where it finds no place.
function hostOf(t: Table, offset: u32, n: u32): i32 {
  const key = t.base + offset
  lowerCase(key, n)
  const h = hashHost(t, key, n)
  const found = findHost(t, h, key, n)
  if (found >= 0) return found
  let s = <u32>h & t.mask
  for (let probe: u32 = 0; probe < MAX_PROBE; probe++) {
    const slot = hostAt(t, s)
    if (slot.used == 0) {
      slot.tag = tagOf(h, n)
      slot.key = offset
      slot.used = 1
      if (n > 0 && load<u8>(key) == 46) t.longestWildcard = max(t.longestWildcard, n)
      else t.longestExact = max(t.longestExact, n)
      return <i32>s
    }
    s = (s + 1) & t.mask
  }
  return -1
}
