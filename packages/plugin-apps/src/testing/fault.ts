/** One failure of the world around the plugin: the n-th call to it, counted from `arm`, fails before it has an effect. */
import type { Wrap } from './harness.ts'

/** Calls that only wait, or whose failure is another test's. */
const uncounted = /\.(wait|logs|attach|describe|drain|subscribe|publish-event)$/

export class Fault {
  readonly at: number
  /** The call that failed; undefined where fewer were made. */
  struck: string | undefined
  #calls = 0
  #armed = false

  constructor(at: number) {
    this.at = at
  }

  arm(): void {
    this.#armed = true
  }

  disarm(): void {
    this.#armed = false
  }

  readonly wrap: Wrap = (name, service) => {
    const get = (target: object, key: string | symbol) => {
      const method = Reflect.get(target, key) as unknown
      if (typeof method !== 'function') return method
      return (...args: unknown[]) => {
        const what = `${name}.${String(key)}`
        if (this.#armed && name !== 'events' && !uncounted.test(what) && this.#calls++ === this.at) {
          this.struck = what
          return Promise.reject(new Error(`${what} is out of order`))
        }
        return method.apply(service, args) as unknown
      }
    }
    return new Proxy(service, { get }) as typeof service
  }
}
