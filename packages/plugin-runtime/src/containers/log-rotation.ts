/** Keeps logs of running containers within their bounds. @module */
import fs from 'node:fs'
import type { Logger } from '@kernel/kernel'
import { conmonReopenLog } from './conmon.ts'
import { type LogPolicy, logFiles, rotateLog } from './log-files.ts'

const SOONEST_MS = 250
const LATEST_MS = 2_000

export interface LogRotation {
  watch(id: string, bundle: string, path: string, policy: LogPolicy): void
  unwatch(id: string): void
  close(): void
}

/**
 * While a log grows, its size is looked at, the sooner the faster it grows; while nothing is written, nothing
 * is done. (conmon's own `--log-size-max` would start the current file anew and lose its latest lines.)
 */
export function createLogRotation(log: Logger): LogRotation {
  const stops = new Map<string, () => void>()

  function watch(id: string, bundle: string, path: string, policy: LogPolicy): void {
    unwatch(id)
    if (policy.driver === 'none' || !Number.isFinite(policy.maxSize) || policy.maxFile === 1) return
    let size = sizeOf(path)
    let timer: NodeJS.Timeout | undefined
    let watcher: fs.FSWatcher | undefined
    const lookIn = (milliseconds: number) => {
      timer = setTimeout(look, milliseconds, milliseconds).unref()
    }
    const sleep = () => {
      const wake = () => {
        watcher?.close()
        watcher = undefined
        lookIn(SOONEST_MS)
      }
      try {
        watcher = fs.watch(path, { persistent: false }, wake).on('error', wake)
        if (sizeOf(path) !== size) wake()
      } catch {
        lookIn(LATEST_MS) // the file is just being opened anew
      }
    }
    const look = (waited: number) => {
      const next = sizeOf(path)
      const grown = Math.max(0, next - size)
      size = next
      if (next >= policy.maxSize && rotate(id, bundle, path, policy)) size = 0
      if (grown === 0) return sleep()
      const untilFull = (Math.max(0, policy.maxSize - size) / grown) * waited
      lookIn(Math.min(LATEST_MS, Math.max(SOONEST_MS, untilFull / 2)))
    }
    stops.set(id, () => {
      clearTimeout(timer)
      watcher?.close()
    })
    look(SOONEST_MS)
  }

  function rotate(id: string, bundle: string, path: string, { maxFile }: LogPolicy): boolean {
    try {
      rotateLog(path, maxFile)
      if (conmonReopenLog(bundle)) return true
      // conmon has gone: what it wrote last stays the current file.
      if (!fs.existsSync(path)) fs.renameSync(logFiles(path).at(-1) ?? path, path)
    } catch (error) {
      log.warn(`log of container ${id.slice(0, 12)} was not rotated: ${(error as Error).message}`)
    }
    return false
  }

  function unwatch(id: string): void {
    stops.get(id)?.()
    stops.delete(id)
  }

  return {
    watch,
    unwatch,
    close: () => {
      for (const id of [...stops.keys()]) unwatch(id)
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
