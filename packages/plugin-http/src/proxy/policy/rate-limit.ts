/**
 * How often a client may ask, counted over all listener threads.
 *
 * GCRA (ITU-T I.371): of each client the theoretical arrival time (TAT) is kept, the moment at which it would be at
 * its rate again. Each slot of the shared memory is one 64-bit word that is replaced by compare-and-exchange:
 *
 *     63 .. 40  tag: 24 bits of a keyed hash of app and client, never 0
 *     39 .. 0   TAT in microseconds, modulo 2^40 (12.7 days)
 *
 * A client's hash picks a set of WAYS slots. Where all are taken by others who are above their rate, the one who is
 * least above it is forgotten: that client may ask a burst anew. Two clients share a count where set and tag are
 * equal: one pair in 2^37.
 * @module
 */
import { hash } from 'node:crypto'
import { clientPrefix } from './client-prefix.ts'

const WAYS = 8
const SETS = 1 << 13
/** Times further ahead than this were never written: the clock has jumped, or has gone round. Some 76 hours. */
const FARTHEST = 2 ** 38
const ROUND = 2 ** 40
const WORD = 2 ** 32

export class RateLimits {
  readonly #halves: Int32Array
  readonly #words: BigInt64Array
  readonly #seed: string
  // The words of an exchange: expected and new, as halves and whole.
  readonly #scratch = new Int32Array(4)
  readonly #whole = new BigInt64Array(this.#scratch.buffer)

  /** 512 KiB for 65,536 clients; zeros are free slots. */
  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(WAYS * SETS * 8)
  }

  /**
   * @param memory of `RateLimits.memory()`, the same for all threads
   * @param seed a secret, the same for all threads: nobody can choose addresses that fall into one set
   */
  constructor(memory: SharedArrayBuffer, seed: string) {
    this.#halves = new Int32Array(memory)
    this.#words = new BigInt64Array(memory)
    this.#seed = seed
  }

  /**
   * Counts one request.
   * @param address of the client, IPv6 by its /64
   * @param nowMs of a clock that all threads share, such as Date.now()
   * @returns 0: allowed; else the seconds after which one will be, a fraction (round up for Retry-After)
   */
  take(app: string, address: string, limit: { perSecond: number; burst: number }, nowMs: number): number {
    const digest = hash('sha256', `${this.#seed}\n${app}\n${clientPrefix(address)}`, 'buffer')
    const base = (digest.readUInt16LE(0) % SETS) * WAYS
    const tag = digest.readUIntLE(2, 3) || 1
    const now = Math.floor(nowMs * 1000) % ROUND
    const interval = Math.min(FARTHEST, Math.max(1, Math.round(1e6 / limit.perSecond)))
    const tolerance = Math.min(FARTHEST - interval, (Math.max(1, limit.burst) - 1) * interval)

    for (;;) {
      const slot = this.#find(base, tag, now)
      const low = Atomics.load(this.#halves, 2 * slot)
      const high = Atomics.load(this.#halves, 2 * slot + 1)
      const mine = high >>> 8 === tag
      const ahead = mine ? aheadOf(low, high, now) : 0
      // More than this client's own limit allows was written under another limit, or is a leftover.
      const due = ahead > tolerance + interval ? 0 : ahead
      if (due > tolerance) return (due - tolerance) / 1e6
      const tat = (now + due + interval) % ROUND
      this.#scratch[0] = low
      this.#scratch[1] = high
      this.#scratch[2] = (tat % WORD) | 0
      this.#scratch[3] = (tag << 8) | Math.floor(tat / WORD)
      // The halves may be of two moments: then this is not what is there, and it begins again.
      const expected = this.#whole[0]!
      if (Atomics.compareExchange(this.#words, slot, expected, this.#whole[1]!) === expected) return 0
    }
  }

  /** The client's slot, else a free one, else that of the client who is least above its rate. */
  #find(base: number, tag: number, now: number): number {
    let best = base
    let least = Number.POSITIVE_INFINITY
    for (let slot = base; slot < base + WAYS; slot++) {
      const high = Atomics.load(this.#halves, 2 * slot + 1)
      if (high >>> 8 === tag) return slot
      const ahead = aheadOf(Atomics.load(this.#halves, 2 * slot), high, now)
      if (ahead < least) {
        best = slot
        least = ahead
      }
    }
    return best
  }
}

/** Microseconds from now to the TAT; 0 where it has passed. */
function aheadOf(low: number, high: number, now: number): number {
  const ahead = ((high & 0xff) * WORD + (low >>> 0) - now + ROUND) % ROUND
  return ahead > FARTHEST ? 0 : ahead
}
