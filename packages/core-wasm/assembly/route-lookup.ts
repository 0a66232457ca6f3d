// The reading side of the route table.

import { lowerCase } from './bytes'
import {
  GENERATION_AT, HOST_INPUT, MATCHED, MAX_TEXT, NOT_FOUND, PATH_INPUT, READER_FENCE, READER_TABLE, RESULT_GENERATION,
  RESULT_LENGTH, RESULT_OFFSET, RETRY, Table, WRITING_AT, descriptor, fence, findHost, findPath, hostAt, inArena, routeAt,
  step,
} from './route-table'

const DOT: u8 = 46
const SLASH: u8 = 47
const QUESTION: u8 = 63

/** 1 while nothing has been written over the table of `generation`. */
export function intact(scratch: usize, generation: u32): i32 {
  fence(scratch + READER_FENCE)
  return <i32>(atomic.load<u32>(WRITING_AT) - generation < 2)
}

/**
 * Looks up the host and path that lie in a reader's slot. Gives a route's index, NOT_FOUND, or RETRY when the writer
 * overtook this reader. Stores the generation, and for a hit where its value lies.
 */
export function lookup(scratch: usize, hostLength: u32, pathLength: u32): i32 {
  assert(hostLength <= MAX_TEXT && pathLength <= MAX_TEXT)
  const generation = atomic.load<u32>(GENERATION_AT)
  store<u32>(scratch, generation, RESULT_GENERATION)
  if (generation == 0) return NOT_FOUND
  // A copy, so that one lookup never mixes two tables.
  const t = changetype<Table>(scratch + READER_TABLE)
  const source = changetype<usize>(descriptor(generation))
  for (let i: usize = 0; i < offsetof<Table>(); i += 16) {
    v128.store(scratch + READER_TABLE + i, v128.load(source + i))
  }
  if (!intact(scratch, generation)) return RETRY
  const index = search(t, scratch, hostLength, pathLength)
  if (index >= 0) {
    const route = routeAt(t, index)
    const at = route.value
    const n = route.valueLength
    if (!inArena(t, at, n)) return RETRY
    store<u32>(scratch, <u32>t.base + at, RESULT_OFFSET)
    store<u32>(scratch, n, RESULT_LENGTH)
  }
  return intact(scratch, generation) ? index : RETRY
}

function search(t: Table, scratch: usize, hostLength: u32, pathLength: u32): i32 {
  const host = scratch + HOST_INPUT
  const path = scratch + PATH_INPUT
  if (hostLength > 0 && load<u8>(host + hostLength - 1) == DOT) hostLength-- // `example.com.` is fully qualified
  lowerCase(host, hostLength)

  // From the right end, so that the hash of each suffix comes for free. Suffixes that match are kept, longest last.
  const matched = scratch + MATCHED
  const reach = max(t.longestExact, t.longestWildcard)
  let count: u32 = 0
  let h = t.seed
  let i = hostLength
  while (i > 0 && hostLength - i < reach) {
    i--
    const c = load<u8>(host + i)
    h = step(t, h, <u64>c)
    if (c == DOT && i > 0 && hostLength - i <= t.longestWildcard) {
      const wildcard = findHost(t, h, host + i, hostLength - i)
      if (wildcard >= 0) {
        store<u32>(matched + (<usize>count << 2), wildcard)
        count++
      }
    }
  }
  if (i == 0 && hostLength > 0 && load<u8>(host) != DOT) {
    const exact = findHost(t, h, host, hostLength)
    if (exact >= 0) {
      const found = longestPrefix(t, exact, path, pathLength)
      if (found >= 0) return found
    }
  }
  while (count > 0) {
    count--
    const found = longestPrefix(t, load<u32>(matched + (<usize>count << 2)), path, pathLength)
    if (found >= 0) return found
  }
  const fallback = findHost(t, t.seed, host, 0)
  return fallback >= 0 ? longestPrefix(t, fallback, path, pathLength) : NOT_FOUND
}

// The longest prefix of a path that is a route of `host`: tried at each '/', and at the end.
function longestPrefix(t: Table, host: u32, path: usize, n: u32): i32 {
  const longest = min(hostAt(t, host).longestPath, t.longestPath)
  let best = NOT_FOUND
  let h = t.seed
  let i: u32 = 0
  while (true) {
    const c = i < n ? load<u8>(path + i) : QUESTION
    if (c == QUESTION || c == SLASH) {
      const found = findPath(t, h, host, path, i)
      if (found >= 0) best = found
    }
    if (c == QUESTION || i >= longest) return best
    h = step(t, h, <u64>c)
    i++
  }
}
