/** The end of a conmon, which comes after that of its container. @module */
import fs from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds. A conmon that does not end by then hangs, and whoever waits goes on. */
const LONGEST = 3000
const EVERY = 5

/**
 * Resolves when the conmon of `bundle` has ended: by then it has written the exit code of the container, and will
 * not take away or write what the conmon of a next start has in the same places.
 */
export async function conmonEnd(bundle: string, id: string): Promise<void> {
  const pid = pidIn(join(bundle, 'conmon.pid'))
  for (let waited = 0; pid !== undefined && isConmonOf(pid, id) && waited < LONGEST; waited += EVERY)
    await sleep(EVERY)
}

function pidIn(file: string): number | undefined {
  try {
    return Number.parseInt(fs.readFileSync(file, 'utf8'), 10) || undefined
  } catch {
    return undefined
  }
}

/** Numbers are used again; and what is only a corpse has no command line. */
function isConmonOf(pid: number, id: string): boolean {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(id)
  } catch {
    return false
  }
}
