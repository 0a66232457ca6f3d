// The reading side of the route table.

import { lowerCase } from './bytes'
import {
  GENERATION_AT, HOST_INPUT, MATCHED, MAX_TEXT, NOT_FOUND, PATH_INPUT, PREFIXES, READER_FENCE, READER_TABLE,
  RESULT_GENERATION, RESULT_LENGTH, RESULT_OFFSET, RETRY, Table, WRITING_AT, absorb, descriptor, exactHash, fence,
  findHost, findPath, hostAt, inArena, routeAt, wildcardHash,
} from './route-table'

const DOT: u8 = 46
const SLASH: u8 = 47
const QUESTION: u8 = 63

/** 1 while nothing has been written over the table of `generation`. */
export function intact(scratch: usize, generation: u32): i32 {
  fence(scratch + READER_FENCE)
  return <i32>(atomic.load<u32>(WRITING_AT) - generation < 2)
}

@inline function tableOf(scratch: usize): Table {
  return changetype<Table>(scratch + READER_TABLE)
}

/**
 * Looks up the host and path that lie in a reader's slot. Gives a route's index, NOT_FOUND, or RETRY when the writer
 * overtook this reader. Stores the generation.
 */
export function lookup(scratch: usize, hostLength: u32, pathLength: u32): i32 {
  assert(hostLength <= MAX_TEXT && pathLength <= MAX_TEXT)
  const generation = atomic.load<u32>(GENERATION_AT)
  store<u32>(scratch, generation, RESULT_GENERATION)
  if (generation == 0) return NOT_FOUND
  // A copy, so that one lookup never mixes two tables.
  const source = changetype<usize>(descriptor(generation))
  for (let i: usize = 0; i < offsetof<Table>(); i += 16) {
    v128.store(scratch + READER_TABLE + i, v128.load(source + i))
  }
  if (!intact(scratch, generation)) return RETRY
  const index = search(tableOf(scratch), scratch, hostLength, pathLength)
  return intact(scratch, generation) ? index : RETRY
}

/** Stores where the value lies of a route that `lookup` has just found. OK is 0; RETRY as above. */
export function locate(scratch: usize, index: u32): i32 {
  const t = tableOf(scratch)
  assert(index < t.routeCount)
  const route = routeAt(t, index)
  const at = route.value
  const n = route.valueLength
  if (!inArena(t, at, n)) return RETRY
  store<u32>(scratch, <u32>t.base + at, RESULT_OFFSET)
  store<u32>(scratch, n, RESULT_LENGTH)
  return 0
}

function search(t: Table, scratch: usize, hostLength: u32, pathLength: u32): i32 {
  const host = scratch + HOST_INPUT
  if (hostLength > 0 && load<u8>(host + hostLength - 1) == DOT) hostLength-- // `example.com.` is fully qualified
  lowerCase(host, hostLength)
  const prefixes = readPath(t, scratch, pathLength)

  // Label by label from the right end, so that the hash of each suffix comes for free. Suffixes that match are kept,
  // longest last.
  const matched = scratch + MATCHED
  const reach = max(t.longestExact, t.longestWildcard)
  let count: u32 = 0
  let h = t.seed
  let end = hostLength
  let i = hostLength
  while (i > 0 && hostLength - i < reach) {
    i--
    if (load<u8>(host + i) != DOT) continue
    h = absorb(t, h, host + i + 1, end - i - 1)
    end = i
    if (i > 0 && hostLength - i <= t.longestWildcard) {
      const wildcard = findHost(t, wildcardHash(t, h), host + i, hostLength - i)
      if (wildcard >= 0) {
        store<u32>(matched + (<usize>count << 2), wildcard)
        count++
      }
    }
  }
  if (i == 0 && hostLength > 0 && load<u8>(host) != DOT) {
    const exact = findHost(t, exactHash(absorb(t, h, host, end)), host, hostLength)
    if (exact >= 0) {
      const found = longestPrefix(t, scratch, exact, prefixes)
      if (found >= 0) return found
    }
  }
  while (count > 0) {
    count--
    const found = longestPrefix(t, scratch, load<u32>(matched + (<usize>count << 2)), prefixes)
    if (found >= 0) return found
  }
  const fallback = findHost(t, exactHash(t.seed), host, 0)
  return fallback >= 0 ? longestPrefix(t, scratch, fallback, prefixes) : NOT_FOUND
}

// Notes each prefix of the path that ends before a '/' or at the end, as far as any route's path goes.
function readPath(t: Table, scratch: usize, n: u32): u32 {
  const path = scratch + PATH_INPUT
  let at = scratch + PREFIXES
  let h = t.seed
  let start: u32 = 0
  for (let i: u32 = 0; i <= t.longestPath; i++) {
    const c = i < n ? load<u8>(path + i) : QUESTION
    if (c != QUESTION && c != SLASH) continue
    if (i > 0) h = absorb(t, h, path + start, i - start)
    store<u64>(at, h)
    store<u32>(at, i, 8)
    at += 16
    start = i
    if (c == QUESTION) break
  }
  return <u32>((at - scratch - PREFIXES) >>> 4)
}

function longestPrefix(t: Table, scratch: usize, host: u32, prefixes: u32): i32 {
  const longest = hostAt(t, host).longestPath
  while (prefixes > 0) {
    prefixes--
    const prefix = scratch + PREFIXES + (<usize>prefixes << 4)
    const n = load<u32>(prefix, 8)
    if (n > longest) continue
    const found = findPath(t, load<u64>(prefix), host, scratch + PATH_INPUT, n)
    if (found >= 0) return found
  }
  return NOT_FOUND
}
