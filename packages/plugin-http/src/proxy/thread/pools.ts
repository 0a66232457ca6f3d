/** Connections to targets, kept open between requests. @module */
import { Pool } from 'undici'

const SWEEP_MS = 60_000

export class Pools {
  readonly #connectTimeoutMs: number
  readonly #pools = new Map<string, { pool: Pool; usedAt: number }>()
  readonly #sweeper: NodeJS.Timeout

  constructor(connectTimeoutMs: number) {
    this.#connectTimeoutMs = connectTimeoutMs
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS)
    this.#sweeper.unref()
  }

  of(origin: string): Pool {
    let entry = this.#pools.get(origin)
    if (!entry) {
      entry = { pool: this.#open(origin), usedAt: 0 }
      this.#pools.set(origin, entry)
    }
    entry.usedAt = performance.now()
    return entry.pool
  }

  /** Closes idle connections now and busy ones when their request has ended. */
  retire(origins: Iterable<string>): void {
    for (const origin of origins) {
      const entry = this.#pools.get(origin)
      this.#pools.delete(origin)
      void entry?.pool.close()
    }
  }

  close(): void {
    clearInterval(this.#sweeper)
    this.retire([...this.#pools.keys()])
  }

  #open(origin: string): Pool {
    return new Pool(origin, {
      pipelining: 1,
      // An answer or an upload may be silent for hours (events, long polls); the exchange keeps its own time.
      headersTimeout: 0,
      bodyTimeout: 0,
      // Below the 5 s after which Node's own servers close, so that both sides seldom disagree.
      keepAliveTimeout: 4_000,
      keepAliveMaxTimeout: 60_000,
      allowH2: false,
      // Half-open, since either side of a tunnel may end first.
      connect: { timeout: this.#connectTimeoutMs, allowHalfOpen: true, keepAlive: true },
    })
  }

  // What was retired while a request was still on its way here was opened again; nobody else would close it.
  #sweep(): void {
    const limit = performance.now() - SWEEP_MS
    this.retire([...this.#pools].filter(([, { usedAt }]) => usedAt < limit).map(([origin]) => origin))
  }
}
