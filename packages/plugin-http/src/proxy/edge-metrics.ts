/** What the edge has counted, as Prometheus reads it. @module */
import { type AppMeasures, type Measures, TIME_BUCKETS } from './messages.ts'

/** Sums what the threads report; they forget what they have reported. */
export class EdgeMetrics {
  readonly #apps = new Map<string, AppMeasures>()
  #connections = 0
  #held = 0

  add(measures: readonly Measures[]): void {
    this.#connections = measures.reduce((sum, { connections }) => sum + connections, 0)
    this.#held = measures.reduce((sum, { held }) => sum + held, 0)
    for (const { apps } of measures) for (const app of apps) this.#addApp(app)
  }

  /** In the text format 0.0.4. @param inFlight requests under way, by app */
  text(inFlight: ReadonlyMap<string, number>): string {
    const lines: string[] = []
    const metric = (name: string, type: string, help: string, samples: string[]) => {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples)
    }
    const apps = [...this.#apps.values()]
    metric(
      'kernel_edge_requests_total',
      'counter',
      'Requests of visitors, by the class of their answer; "gone": the visitor left before it.',
      apps.flatMap(({ app, statuses }) =>
        statuses.flatMap((count, digit) =>
          count === 0
            ? []
            : [
                `kernel_edge_requests_total{${label(app)},status="${digit === 0 ? 'gone' : `${digit}xx`}"} ${count}`,
              ],
        ),
      ),
    )
    metric(
      'kernel_edge_upstream_seconds',
      'histogram',
      'Time from a request to the first byte of the answer of its target.',
      apps.filter(({ times }) => times.some((count) => count > 0)).flatMap(histogram),
    )
    metric(
      'kernel_edge_in_flight',
      'gauge',
      'Requests and upgraded connections under way to targets.',
      [...inFlight].map(([app, count]) => `kernel_edge_in_flight{${label(app)}} ${count}`),
    )
    metric('kernel_edge_connections', 'gauge', 'Open connections of visitors.', [
      `kernel_edge_connections ${this.#connections}`,
    ])
    metric('kernel_edge_held', 'gauge', 'Requests that wait for a route.', [`kernel_edge_held ${this.#held}`])
    return `${lines.join('\n')}\n`
  }

  #addApp(more: AppMeasures): void {
    const sum = this.#apps.get(more.app)
    if (!sum) {
      this.#apps.set(more.app, more)
      return
    }
    more.statuses.forEach((count, i) => {
      sum.statuses[i]! += count
    })
    more.times.forEach((count, i) => {
      sum.times[i]! += count
    })
    sum.seconds += more.seconds
  }
}

function histogram({ app, times, seconds }: AppMeasures): string[] {
  const name = 'kernel_edge_upstream_seconds'
  let below = 0
  const buckets = times.map((count, i) => {
    below += count
    return `${name}_bucket{${label(app)},le="${TIME_BUCKETS[i] ?? '+Inf'}"} ${below}`
  })
  return [...buckets, `${name}_sum{${label(app)}} ${seconds}`, `${name}_count{${label(app)}} ${below}`]
}

function label(app: string): string {
  return `app="${app.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`
}
