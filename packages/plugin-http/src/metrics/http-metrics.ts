import type { Metrics } from '@kernel/contracts'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** What `/metrics` shows: this process, the requests it answers, and what plugins add. */
export interface HttpMetrics extends Metrics {
  readonly contentType: string
  /** Begins a request; what is returned ends it with the pattern of its route (never a path) and its status. */
  begin(method: string): (route: string, status: number) => void
  text(): Promise<string>
}

export function createHttpMetrics(): HttpMetrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const requests = new Counter({
    name: 'kernel_http_requests_total',
    help: 'Requests answered by the API, by route.',
    labelNames: ['method', 'route', 'status'],
    registers,
  })
  const duration = new Histogram({
    name: 'kernel_http_request_duration_seconds',
    help: 'Time until the head of the answer, by route.',
    labelNames: ['route'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
    registers,
  })
  const open = new Gauge({
    name: 'kernel_http_requests_open',
    help: 'Requests without an answer yet.',
    registers,
  })
  const added = new Set<() => string | Promise<string>>()

  return {
    contentType: registry.contentType,
    add(collect) {
      added.add(collect)
      return () => added.delete(collect)
    },
    begin(method) {
      const stop = duration.startTimer()
      open.inc()
      return (route, status) => {
        open.dec()
        stop({ route })
        requests.inc({ method: knownMethod(method), route, status })
      }
    },
    async text() {
      // One collector that fails must not hide all the others.
      const parts = await Promise.all(
        [...added].map(async (collect) => collect()).map((part) => part.catch(() => '')),
      )
      return [await registry.metrics(), ...parts].map((part) => `${part.trimEnd()}\n`).join('')
    },
  }
}

/** The method is chosen by the caller; a label must not be. */
function knownMethod(method: string): string {
  return ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].includes(method) ? method : 'other'
}
