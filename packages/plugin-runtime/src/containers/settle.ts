/** Several things at once, of which none may be going on when the others are taken back. @module */

/** Like Promise.all, but a failure waits for the others, so that what they made can be taken back. */
export async function settle<const T extends readonly Promise<unknown>[]>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const results = await Promise.allSettled(work)
  for (const result of results) if (result.status === 'rejected') throw result.reason
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as never
}
