import { describe, expect, it } from 'vitest'
import { EdgeMetrics } from './edge-metrics.ts'
import { Meter } from './thread/meter.ts'

describe('EdgeMetrics', () => {
  it('sums what threads have counted since the last time', () => {
    const metrics = new EdgeMetrics()
    const meters = [new Meter(), new Meter()]
    const collect = () =>
      metrics.add(meters.map((meter) => ({ apps: meter.take(), connections: 2, held: 1 })))
    for (const meter of meters) {
      meter.answered('shop', 200)
      meter.answered('shop', 204)
      meter.answered('shop', 502)
      meter.answered('', 0)
      meter.waited('shop', 0.02)
      meter.waited('shop', 100)
    }
    collect()
    meters[0]!.answered('shop', 200)
    collect()
    const lines = metrics.text(new Map([['shop', 3]])).split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        'kernel_edge_requests_total{app="shop",status="2xx"} 5',
        'kernel_edge_requests_total{app="shop",status="5xx"} 2',
        'kernel_edge_requests_total{app="",status="gone"} 2',
        'kernel_edge_upstream_seconds_bucket{app="shop",le="0.01"} 0',
        'kernel_edge_upstream_seconds_bucket{app="shop",le="0.025"} 2',
        'kernel_edge_upstream_seconds_bucket{app="shop",le="60"} 2',
        'kernel_edge_upstream_seconds_bucket{app="shop",le="+Inf"} 4',
        'kernel_edge_upstream_seconds_sum{app="shop"} 200.04',
        'kernel_edge_upstream_seconds_count{app="shop"} 4',
        'kernel_edge_in_flight{app="shop"} 3',
        'kernel_edge_connections 4',
        'kernel_edge_held 2',
      ]),
    )
    expect(lines.filter((line) => line.startsWith('kernel_edge_upstream_seconds_count'))).toHaveLength(1)
  })
})
