/** Numbers that look like chance and are the same for the same seed. @module */

/** @returns the next number, from 0 up to but without 1 (mulberry32) */
export function chanceOf(seed: number): () => number {
  let state = seed >>> 0
  return function chance() {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A seed for a round: rounds do not depend on what earlier ones drew, so that one can be played again alone. */
export const roundSeed = (seed: number, round: number): number =>
  Math.imul(seed ^ 0x9e3779b9, round + 0x85ebca6b)
