import type { EngineEvent, Events } from '@kernel/contracts'
import { openJournal } from './journal.ts'
import { createSubscription, type Subscription } from './subscription.ts'

export interface EventsOptions {
  /** The database file; its directory exists. `:memory:` keeps nothing over a restart. */
  file: string
  /** How many past events can be asked for; default 10,000. */
  keep?: number
  /** How many events may wait for one slow reader before its oldest are dropped; default 1024. */
  queue?: number
  log?: { warn(message: string, fields?: Record<string, unknown>): void }
}

const MINUTE = 60_000_000_000n

/** The `Events` service. `close` ends every subscription and writes what is still waiting. */
export function createEvents(options: EventsOptions): Events & { close(): void } {
  const journal = openJournal({
    file: options.file,
    keep: options.keep ?? 10_000,
    onError: (error) =>
      options.log?.warn('events could not be kept for replay', { error: (error as Error).message }),
  })
  const subscriptions = new Set<Subscription>()
  let closed = false
  // A clock that was set back must not give two events one time; but one that was a year ahead once must not
  // hold the time for a year.
  let latest = journal.lastTime < now() + MINUTE ? journal.lastTime : 0n

  function publish(event: Pick<EngineEvent, 'Type' | 'Action' | 'Actor'>): void {
    if (closed) return
    const time = now()
    latest = time > latest ? time : latest + 1n
    const { ID, Attributes } = event.Actor
    const full: EngineEvent = {
      Type: event.Type,
      Action: event.Action,
      Actor: { ID, Attributes: { ...Attributes } },
      scope: 'local',
      time: Number(latest / 1_000_000_000n),
      timeNano: latest,
    }
    journal.append(full)
    for (const subscription of [...subscriptions]) subscription.deliver(full)
  }

  function subscribe(request: Parameters<Events['subscribe']>[0] = {}): AsyncIterable<EngineEvent> {
    const subscription: Subscription = createSubscription({
      ...request,
      journal,
      queue: options.queue ?? 1024,
      onEnd: () => subscriptions.delete(subscription),
    })
    if (closed) subscription.end()
    if (!subscription.ended) subscriptions.add(subscription)
    return subscription
  }

  function close(): void {
    if (closed) return
    closed = true
    for (const subscription of [...subscriptions]) subscription.end()
    journal.close()
  }

  return { publish, subscribe, close }
}

/** The wall clock with a finer end: milliseconds from the system, the rest from the monotonic clock. */
function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n)
}
