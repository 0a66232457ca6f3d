/** What all visits of one thread share. @module */
import type { BlockList } from 'node:net'
import type { EdgeSettings } from '../messages.ts'
import type { AccessLog } from './access-log.ts'
import type { Certificates } from './certificates.ts'
import type { Clock } from './clock.ts'
import type { Collector } from './collector.ts'
import type { Gate } from './gate.ts'
import type { Meter } from './meter.ts'
import type { Pages } from './pages.ts'
import type { Pools } from './pools.ts'
import type { Targets } from './targets.ts'
import type { Tunnels } from './tunnel.ts'

export interface Site {
  readonly settings: EdgeSettings
  readonly targets: Targets
  readonly gate: Gate
  readonly pools: Pools
  readonly tunnels: Tunnels
  readonly clock: Clock
  readonly meter: Meter
  readonly collector: Collector
  readonly pages: Pages
  readonly certificates: Certificates
  readonly trusted: BlockList
  readonly accessLog: AccessLog | undefined
  warn(message: string, fields: Record<string, unknown>): void
  /** Once true, every answer ends its connection. */
  closing: boolean
}
