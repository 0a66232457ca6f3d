/** Keeps logs of running containers within their bounds. @module */
import fs from 'node:fs'
import type { Logger } from '@kernel/kernel'
import { conmonReopenLog } from './conmon.ts'
import { type LogPolicy, logFiles, rotateLog } from './log-files.ts'

const SOONEST_MS = 250
const LATEST_MS = 10_000

export interface LogRotation {
  watch(id: string, bundle: string, path: string, policy: LogPolicy): void
  unwatch(id: string): void
  close(): void
}

/** Looks at a log the sooner the faster it grows; an idle one costs a stat in ten seconds. */
export function createLogRotation(log: Logger): LogRotation {
  const timers = new Map<string, NodeJS.Timeout>()

  function watch(id: string, bundle: string, path: string, policy: LogPolicy): void {
    unwatch(id)
    if (policy.driver === 'none' || !Number.isFinite(policy.maxSize) || policy.maxFile === 1) return
    let size = sizeOf(path)
    let wait = 1000
    const check = () => {
      const next = sizeOf(path)
      const grown = Math.max(0, next - size)
      size = next
      if (next >= policy.maxSize) {
        try {
          rotateLog(path, policy.maxFile)
          if (conmonReopenLog(bundle)) size = 0
          else if (!fs.existsSync(path)) fs.renameSync(logFiles(path).at(-1) ?? path, path)
        } catch (error) {
          log.warn(`log of container ${id.slice(0, 12)} was not rotated: ${(error as Error).message}`)
        }
      }
      const left = Math.max(0, policy.maxSize - size)
      const untilFull = grown > 0 ? (left / grown) * wait : LATEST_MS
      wait = Math.min(LATEST_MS, Math.max(SOONEST_MS, untilFull / 2))
      timers.set(id, setTimeout(check, wait).unref())
    }
    timers.set(id, setTimeout(check, SOONEST_MS).unref())
  }

  function unwatch(id: string): void {
    clearTimeout(timers.get(id))
    timers.delete(id)
  }

  return {
    watch,
    unwatch,
    close: () => {
      for (const id of [...timers.keys()]) unwatch(id)
    },
  }
}

function sizeOf(path: string): number {
  try {
    return fs.statSync(path).size
  } catch {
    return 0
  }
}
