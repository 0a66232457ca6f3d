/** From a host and a path to the target that answers. @module */
import type { RouteTableReader } from '@kernel/core-wasm'
import type { InFlight } from '../in-flight.ts'
import type { RoutedTarget, RouteValue } from '../messages.ts'
import type { Guard } from './guard.ts'

/** A route's value as a thread has it. */
export interface GuardedRoute extends RouteValue {
  guard?: Guard
}

/** What became of a request's search for a target. */
export type Found =
  | { kind: 'target'; app: string; target: RoutedTarget }
  /** Somebody has to be asked first whether the visitor may pass. */
  | { kind: 'guard'; app: string; guard: Guard }
  /** The routes are about to change: look again when the table is no longer that of `generation`. */
  | { kind: 'wait'; app: string; generation: number }
  /** No target is left that this request has not tried. */
  | { kind: 'exhausted'; app: string; generation: number }
  /** No app; an app that is stopped. */
  | { kind: 'unknown' | 'down'; app: string }

const UNKNOWN: Found = { kind: 'unknown', app: '' }

export class Targets {
  readonly #routes: RouteTableReader<GuardedRoute>
  readonly #inFlight: InFlight
  readonly #thread: number
  readonly #downMs: number
  /** Until when a target that refused a connection is passed over. */
  readonly #down = new Map<string, number>()

  constructor(routes: RouteTableReader<GuardedRoute>, inFlight: InFlight, thread: number, downMs: number) {
    this.#routes = routes
    this.#inFlight = inFlight
    this.#thread = thread
    this.#downMs = downMs
  }

  /**
   * The least busy target, with this request counted as in flight to it; give it back with `release`.
   *
   * A target counts as busy before the table is looked at a second time. So whoever publishes a table without this
   * target and then reads its count either finds this request there, or this request finds the new table and looks
   * again: once the count is zero, nobody can be on the way to a target that was taken out.
   */
  take(host: string, path: string, tried: ReadonlySet<number>, passed?: Guard): Found {
    for (;;) {
      const generation = this.#routes.generation()
      if (!this.#inFlight.ready) return { kind: 'wait', app: '', generation }
      const hit = this.#routes.lookup(host, path)
      if (!hit) return UNKNOWN
      const { app, state, targets, guard } = hit.value
      // One guard a publication: who waited for a new table is asked by what it says.
      if (guard !== undefined && passed !== guard) return { kind: 'guard', app, guard }
      if (state === 'hold') return { kind: 'wait', app, generation: hit.generation }
      if (state === 'down' || targets.length === 0) return { kind: 'down', app }
      const target = this.#choose(targets, tried)
      if (!target) return { kind: 'exhausted', app, generation: hit.generation }
      this.#inFlight.enter(this.#thread, target.slot)
      if (this.#routes.generation() === hit.generation) return { kind: 'target', app, target }
      this.release(target)
    }
  }

  /** Ends what `take` began. */
  release(target: RoutedTarget): void {
    this.#inFlight.leave(this.#thread, target.slot)
  }

  /** Passes a target over for a while: it could not be reached. */
  markDown(target: RoutedTarget): void {
    const now = performance.now()
    for (const [origin, until] of this.#down) if (until < now) this.#down.delete(origin)
    this.#down.set(target.origin, now + this.#downMs)
  }

  // Among equals a random one, so that threads do not all take the first. One that is down is better than none.
  #choose(targets: readonly RoutedTarget[], tried: ReadonlySet<number>): RoutedTarget | undefined {
    if (targets.length === 1) return tried.has(targets[0]!.slot) ? undefined : targets[0]
    const start = Math.floor(Math.random() * targets.length)
    const now = this.#down.size > 0 ? performance.now() : 0
    let best: RoutedTarget | undefined
    let bestBusy = Number.POSITIVE_INFINITY
    for (let i = 0; i < targets.length; i++) {
      const target = targets[(start + i) % targets.length]!
      if (tried.has(target.slot)) continue
      const down = now > 0 && (this.#down.get(target.origin) ?? 0) > now
      const busy = this.#inFlight.count(target.slot) + (down ? 1e9 : 0)
      if (busy < bestBusy) {
        best = target
        bestBusy = busy
      }
    }
    return best
  }
}
