/** The events of the daemon: one stream for Docker clients, the dashboard and plugins. @module */
import { defineService } from '@kernel/kernel'

/** The form of `GET /events`, without the legacy fields. */
export interface EngineEvent {
  /** `container`, `image`, `network`, `volume`, `daemon`, and the product's own: `app`, `deploy`. */
  Type: string
  Action: string
  Actor: { ID: string; Attributes: Record<string, string> }
  scope: 'local'
  /** Seconds since 1970. */
  time: number
  /** Nanoseconds since 1970. */
  timeNano: bigint
}

export interface Events {
  publish(event: Pick<EngineEvent, 'Type' | 'Action' | 'Actor'>): void
  /** Live from now, with what is kept since `since` (ns) first; ends at `until`, or when the signal aborts. A slow reader loses the oldest, never blocks others. */
  subscribe(options?: { since?: bigint; until?: bigint; signal?: AbortSignal }): AsyncIterable<EngineEvent>
}
export const Events = defineService<Events>('events')
