/** Looks after the certificates twice a day, and sooner where something failed or a domain came. @module */
import type { AcmeKeeper } from '../services/acme.ts'

/** A moment between a failure's time and the look, and between many new domains and theirs. */
const atLeastMs = 1_000

export class Clockwork {
  readonly #keeper: Pick<AcmeKeeper, 'renewDue' | 'nextAttempt'>
  readonly #everyMs: number
  #timer: NodeJS.Timeout | undefined
  #stopped = true

  constructor(keeper: Pick<AcmeKeeper, 'renewDue' | 'nextAttempt'>, everySec: number) {
    this.#keeper = keeper
    this.#everyMs = everySec * 1000
  }

  /** The first look is at once: the daemon may have been away for weeks. */
  start(): void {
    this.#stopped = false
    this.#wait(0)
  }

  /** Looks soon. */
  poke(): void {
    if (!this.#stopped) this.#wait(atLeastMs)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#look(), ms)
    this.#timer.unref()
  }

  async #look(): Promise<void> {
    await this.#keeper.renewDue()
    if (this.#stopped) return
    const next = (this.#keeper.nextAttempt() ?? Number.POSITIVE_INFINITY) - Date.now()
    this.#wait(Math.min(this.#everyMs, Math.max(atLeastMs, next)))
  }
}
