/** What a thread counts, app by app. @module */
import { type AppMeasures, TIME_BUCKETS } from '../messages.ts'

export class Meter {
  #apps = new Map<string, AppMeasures>()

  /** Counts an answer; status 0 stands for a visitor who left before it. */
  answered(app: string, status: number): void {
    this.#of(app).statuses[Math.floor(status / 100)]! += 1
  }

  /** Counts the time from a request to the first byte of its answer. */
  waited(app: string, seconds: number): void {
    const measures = this.#of(app)
    let bucket = 0
    while (bucket < TIME_BUCKETS.length && seconds > TIME_BUCKETS[bucket]!) bucket++
    measures.times[bucket]! += 1
    measures.seconds += seconds
  }

  /** What was counted since this was asked last. */
  take(): AppMeasures[] {
    const apps = [...this.#apps.values()]
    this.#apps = new Map()
    return apps
  }

  #of(app: string): AppMeasures {
    let measures = this.#apps.get(app)
    if (!measures) {
      const zeros = (length: number) => new Array<number>(length).fill(0)
      measures = { app, statuses: zeros(10), times: zeros(TIME_BUCKETS.length + 1), seconds: 0 }
      this.#apps.set(app, measures)
    }
    return measures
  }
}
