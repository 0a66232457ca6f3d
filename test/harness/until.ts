/** Waits for what comes about on its own. @module */
import { setTimeout as sleep } from 'node:timers/promises'

export interface UntilOptions {
  /** Milliseconds. */
  within?: number
  every?: number
}

/** Asks until the answer is neither false nor undefined. @throws with `what` and the last error, when the time is over */
export async function until<T>(
  what: string,
  ask: () => Promise<T | false | undefined> | T | false | undefined,
  { within = 15_000, every = 50 }: UntilOptions = {},
): Promise<T> {
  const deadline = Date.now() + within
  let last: unknown
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== false && answer !== undefined) return answer
      last = undefined
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline)
      throw new Error(`Not within ${within} ms: ${what}${last ? ` (${(last as Error).message})` : ''}`)
    await sleep(every)
  }
}

/** Asks until no error is thrown, so that a failure shows what was expected. */
export async function eventually(
  check: () => Promise<unknown> | unknown,
  { within = 15_000, every = 100 }: UntilOptions = {},
): Promise<void> {
  const deadline = Date.now() + within
  for (;;) {
    try {
      await check()
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
    await sleep(every)
  }
}
