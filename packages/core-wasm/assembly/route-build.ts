// The writing side of the route table.

import { lowerCase } from './bytes'
import {
  DUPLICATE, GENERATION_AT, HOST_RECORD, MAX_PROBE, OK, RESEED, ROUTE_RECORD, Table, WRITER_FENCE, WRITING_AT, descriptor,
  fence, findHost, findPath, finish, hostAt, inArena, pathHash, routeAt, step, tagOf,
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

let duplicated: u32 = 0
/** The second route of one host and path, after `build` gave DUPLICATE. */
export function duplicate(): u32 {
  return duplicated
}

/**
 * Builds the table of a coming generation over `count` routes that the host has written, with two secret words.
 * OK, DUPLICATE, or RESEED: call again with other words.
 */
export function build(
  generation: u32, base: usize, length: u32, bits: u32, count: u32, seed: u64, multiplier: u64,
): i32 {
  const t = descriptor(generation)
  const slots = (<usize>1 << bits) << 3
  t.base = base
  t.length = length
  t.hostMask = (<u32>1 << bits) - 1
  t.pathMask = t.hostMask
  t.hostCount = 0
  t.routeCount = count
  t.pathSlots = slots
  t.hosts = 2 * slots
  t.routes = 2 * slots + <usize>count * HOST_RECORD
  t.longestExact = 0
  t.longestWildcard = 0
  t.longestPath = 0
  t.seed = seed
  t.multiplier = multiplier | 1
  assert(<u64>t.routes + <u64>count * <u64>ROUTE_RECORD <= <u64>length)
  memory.fill(base, 0, 2 * slots)
  for (let r: u32 = 0; r < count; r++) {
    const status = add(t, r)
    if (status != OK) return status
  }
  return OK
}

function add(t: Table, r: u32): i32 {
  const route = routeAt(t, r)
  assert(inArena(t, route.key, route.keyLength) && inArena(t, route.path, route.pathLength))
  assert(inArena(t, route.value, route.valueLength))
  const host = hostOf(t, t.base + route.key, route.keyLength)
  if (host < 0) return RESEED
  route.host = host

  const path = t.base + route.path
  const n = route.pathLength
  let h = t.seed
  for (let i: u32 = 0; i < n; i++) h = step(t, h, <u64>load<u8>(path + i))
  if (findPath(t, h, host, path, n) >= 0) {
    duplicated = r
    return DUPLICATE
  }
  if (!insert(t.base + t.pathSlots, t.pathMask, pathHash(t, h, host), r + 1)) return RESEED
  const record = hostAt(t, host)
  record.longestPath = max(record.longestPath, n)
  t.longestPath = max(t.longestPath, n)
  return OK
}

// The host of a key, which is new where the table has none; -1 where it finds no place.
function hostOf(t: Table, key: usize, n: u32): i32 {
  lowerCase(key, n)
  let h = t.seed
  for (let i = n; i > 0; i--) h = step(t, h, <u64>load<u8>(key + i - 1))
  const found = findHost(t, h, key, n)
  if (found >= 0) return found
  const host = t.hostCount++
  const record = hostAt(t, host)
  record.key = <u32>(key - t.base)
  record.keyLength = n
  record.longestPath = 0
  if (!insert(t.base, t.hostMask, finish(h), host + 1)) return -1
  if (n > 0 && load<u8>(key) == 46) t.longestWildcard = max(t.longestWildcard, n)
  else t.longestExact = max(t.longestExact, n)
  return <i32>host
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
