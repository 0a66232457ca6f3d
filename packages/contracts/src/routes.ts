/** The edge's routes: which host and path lead to which targets. @module */
import { defineService } from '@kernel/kernel'

export interface Target {
  /** Unique; a workload's id. */
  id: string
  host: string
  port: number
}

export interface Route {
  /** `a.example.com`, `*.example.com`, or empty for the default. Lower case. */
  host: string
  /** Prefix: empty for all, or `/api`. */
  path: string
  /**
   * `up`: to the targets. `hold`: requests wait for the next publish, at most the hold timeout (then 503).
   * `down`: 503 at once (stopped or scaled to zero).
   */
  state: 'up' | 'hold' | 'down'
  targets: Target[]
}

export interface Router {
  /**
   * Replaces all routes of an app in one atomic step that every listener thread sees at once.
   * @throws conflict where another app owns a host and path
   */
  publish(app: string, routes: Route[]): Promise<{ generation: number }>
  /** Takes all the app's routes away. */
  withdraw(app: string): Promise<void>
  list(): Promise<Array<Route & { app: string }>>
  /** Resolves when no request is in flight to the targets, or after the time; long-lived upgrades count. */
  drain(targetIds: string[], timeoutSec: number): Promise<{ open: number }>
  /** The addresses the edge listens on, for URLs. */
  listeners(): Promise<Array<{ protocol: 'http' | 'https'; host: string; port: number }>>
  /** Until this is called, visitors' requests are held: the first routes are being published. */
  ready(): Promise<void>
}
export const Router = defineService<Router>('router')
