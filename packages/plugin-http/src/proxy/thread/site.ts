/** What all visits of one thread share. @module */
import type { BlockList } from 'node:net'
import type { EdgeSettings } from '../messages.ts'
import type { AccessLog } from './access-log.ts'
import type { Gate } from './gate.ts'
import type { Meter } from './meter.ts'
import type { Pools } from './pools.ts'
import type { Targets } from './targets.ts'

export interface Site {
  readonly settings: EdgeSettings
  readonly targets: Targets
  readonly gate: Gate
  readonly pools: Pools
  readonly meter: Meter
  readonly trusted: BlockList
  readonly accessLog: AccessLog | undefined
  warn(message: string, fields: Record<string, unknown>): void
  /** Once true, every answer ends its connection. */
  closing: boolean
}
