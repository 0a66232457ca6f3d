/**
 * `kill -9` of the daemon, simulated: from the n-th call to the world around it on, nothing of the old plugin
 * reaches the world any more, and no answer comes back.
 * @module
 */
import type { Wrap } from './harness.ts'

const readers = /\.(inspect|list|listeners|logs|wait|hasArtifact|listArtifacts|describe)$/

export class Kill {
  /** The call, counted from `arm`, at which it strikes; before it has an effect, or after. */
  readonly at: number
  readonly when: 'before' | 'after'
  readonly #struck = Promise.withResolvers<string>()
  #calls = 0
  #armed = false
  isDead = false

  constructor(at: number, when: 'before' | 'after') {
    this.at = at
    this.when = when
  }

  /** Resolves with the call that it struck. */
  get struck(): Promise<string> {
    return this.#struck.promise
  }

  arm(): void {
    this.#armed = true
  }

  readonly wrap: Wrap = (name, service) => {
    const get = (target: object, key: string | symbol) => {
      const method = Reflect.get(target, key) as unknown
      if (typeof method !== 'function') return method
      return (...args: unknown[]) => {
        const run = () => method.apply(service, args) as unknown
        // Events are no calls that could be counted, but the dead publish none.
        if (name === 'events') return this.isDead && key === 'publish' ? undefined : run()
        return this.#call(`${name}.${String(key)}`, run)
      }
    }
    return new Proxy(service, { get }) as typeof service
  }

  async #call(what: string, run: () => unknown): Promise<unknown> {
    const never = new Promise(() => {})
    if (this.isDead) return never
    // Between a reading call and the next one nothing changes out there: "before the next" is the same moment.
    const counts = this.#armed && what !== 'scheduler.wait' && (this.when === 'before' || !readers.test(what))
    const strikes = counts && this.#calls++ === this.at
    if (strikes && this.when === 'before') {
      this.#strike(what)
      return never
    }
    // What began before the kill goes on out there; only its answer has nobody to go to.
    const work = Promise.resolve().then(run)
    work.catch(() => {})
    if (strikes) {
      await work.catch(() => {})
      this.#strike(what)
      return never
    }
    return work.finally(() => this.isDead && never)
  }

  #strike(what: string): void {
    this.isDead = true
    this.#struck.resolve(`${this.when} ${what}, call ${this.at}`)
  }
}
