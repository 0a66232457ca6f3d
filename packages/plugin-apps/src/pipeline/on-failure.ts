/** What app.json wants done where a check has failed (`onFailure`). @module */
import type { Scheduler, Workload } from '@kernel/contracts'
import type { Healthcheck } from '../source/app-json.ts'
import { probeCommand } from './probe.ts'

/** Milliseconds for each of the two; nothing waits longer for it. */
const longest = 5_000

/** Runs the command beside the process and posts to the URL. What fails of it has nobody to be told. */
export async function tellFailure(
  scheduler: Scheduler,
  workload: Workload,
  { name, type, onFailure }: Healthcheck,
  error: string,
): Promise<void> {
  const { app, processType, index, id } = workload
  const { command, url } = onFailure ?? {}
  const works: Array<Promise<unknown>> = []
  if (command) works.push(probeCommand(scheduler, id, command, AbortSignal.timeout(longest)))
  if (url !== undefined)
    works.push(
      fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ app, process: `${processType}.${index}`, type, check: name, error }),
        redirect: 'manual',
        signal: AbortSignal.timeout(longest),
      }).then((answer) => answer.body?.cancel()),
    )
  await Promise.allSettled(works)
}
