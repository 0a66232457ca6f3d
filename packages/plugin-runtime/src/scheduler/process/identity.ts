/** Tells whether a process number still means the process it meant. @module */
import { execFileSync } from 'node:child_process'

/** When the process began, as this system tells it; undefined where it is gone. */
export function processIdentity(pid: number): string | undefined {
  try {
    return (
      String(
        execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { stdio: ['ignore', 'pipe', 'ignore'] }),
      ).trim() || undefined
    )
  } catch {
    return undefined
  }
}

export function sameProcess(pid: number, identity: string): boolean {
  return pid > 0 && processIdentity(pid) === identity
}
