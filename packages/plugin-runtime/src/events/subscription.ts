import type { EngineEvent } from '@kernel/contracts'
import type { Journal } from './journal.ts'

/** One reader of the events. It is registered from the moment it is made, not from the first read. */
export interface Subscription extends AsyncIterable<EngineEvent> {
  deliver(event: EngineEvent): void
  /** No more events; those that wait are still read. */
  end(): void
  readonly ended: boolean
}

export interface SubscriptionOptions {
  journal: Journal
  /** Nanoseconds since 1970, inclusive. */
  since?: bigint
  until?: bigint
  signal?: AbortSignal
  queue: number
  /** Called once, when a reader that went live has ended. */
  onEnd: () => void
}

const PAGE = 256
/** The longest time that a timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1

export function createSubscription(options: SubscriptionOptions): Subscription {
  const { journal, since, until, signal } = options
  // What is older comes from the journal page by page, as fast as it is read; what is newer waits here.
  const replayUpTo = journal.last
  let replayed = since === undefined ? replayUpTo : 0n
  let page: EngineEvent[] = []
  const queue: EngineEvent[] = []
  let ended = false
  let live = false
  let wake: (() => void) | undefined
  let timer: NodeJS.Timeout | undefined

  function deliver(event: EngineEvent): void {
    if (ended) return
    if (until !== undefined && event.timeNano > until) {
      end()
      return
    }
    queue.push(event)
    if (queue.length > options.queue) queue.shift()
    wake?.()
  }

  function end(): void {
    if (ended) return
    ended = true
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
    if (live) options.onEnd()
    wake?.()
  }

  /** Whoever aborts reads no more. */
  function abort(): void {
    queue.length = 0
    page = []
    replayed = replayUpTo
    end()
  }

  function waitForUntil(): void {
    if (until === undefined) return
    const left = Number(until / 1_000_000n) - Date.now()
    if (left <= 0) end()
    else timer = setTimeout(waitForUntil, Math.min(left + 1, MAX_TIMER_MS)).unref()
  }

  function nextOfPast(): EngineEvent | undefined {
    while (page.length === 0 && replayed < replayUpTo) {
      const rows = journal.page(replayed, since ?? 0n, PAGE).filter((row) => row.seq <= replayUpTo)
      replayed = rows.length < PAGE ? replayUpTo : (rows.at(-1)?.seq ?? replayUpTo)
      page = rows.map((row) => row.event).filter((event) => until === undefined || event.timeNano <= until)
    }
    return page.shift()
  }

  async function* read(): AsyncGenerator<EngineEvent> {
    try {
      for (;;) {
        const event = nextOfPast() ?? queue.shift()
        if (event) yield event
        else if (ended) return
        else {
          const { promise, resolve } = Promise.withResolvers<void>()
          wake = resolve
          await promise
          wake = undefined
        }
      }
    } finally {
      abort()
    }
  }

  if (signal?.aborted) abort()
  else {
    signal?.addEventListener('abort', abort, { once: true })
    waitForUntil()
  }
  live = !ended
  return {
    deliver,
    end,
    get ended() {
      return ended
    },
    [Symbol.asyncIterator]: read,
  }
}
