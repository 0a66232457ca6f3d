/**
 * The form of a conformance suite: named cases that any test runner can run.
 *
 * @example
 * for (const { name, run } of schedulerSuite(make)) it(name, run)
 * @module
 */
export interface SuiteCase {
  name: string
  run(): Promise<void>
}

/** What a suite is run against; `close` takes everything away that it made. */
export interface Subject<T> {
  subject: T
  close(): Promise<void>
}

/** Cases over a fresh subject each, closed whatever happens. */
export function casesOf<T>(
  make: () => Promise<Subject<T>>,
  cases: Record<string, (subject: T) => Promise<void>>,
): SuiteCase[] {
  return Object.entries(cases).map(([name, check]) => ({
    name,
    async run() {
      const { subject, close } = await make()
      try {
        await check(subject)
      } finally {
        await close()
      }
    },
  }))
}

/** Polls until `probe` answers something; fails with `what` after `timeoutMs`. For effects that have no event. */
export async function eventually<R>(
  what: string,
  probe: () => Promise<R | undefined | false>,
  timeoutMs = 15_000,
): Promise<R> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const found = await probe().catch(() => undefined)
    if (found) return found
    if (Date.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
