/** An in-memory stream of events. @module */
import type { EngineEvent, Events } from '@kernel/contracts'

export class FakeEvents implements Events {
  readonly published: EngineEvent[] = []
  readonly #wakers = new Set<() => void>()

  publish(event: Pick<EngineEvent, 'Type' | 'Action' | 'Actor'>): void {
    const now = Date.now()
    this.published.push({ ...event, scope: 'local', time: now / 1000, timeNano: BigInt(now) * 1_000_000n })
    for (const wake of this.#wakers) wake()
  }

  async *subscribe({ signal }: { signal?: AbortSignal } = {}): AsyncGenerator<EngineEvent> {
    let wake = () => {}
    const waker = () => wake()
    this.#wakers.add(waker)
    signal?.addEventListener('abort', waker, { once: true })
    try {
      for (let at = this.published.length; !signal?.aborted; ) {
        const event = this.published[at]
        if (event) {
          at += 1
          yield event
        } else
          await new Promise<void>((resolve) => {
            wake = resolve
          })
      }
    } finally {
      this.#wakers.delete(waker)
    }
  }

  /** `app create`, `deploy finish`, ... of an actor. */
  actions(type: string): string[] {
    return this.published.filter(({ Type }) => Type === type).map(({ Action }) => Action)
  }
}
