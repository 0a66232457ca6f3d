/** Which daemon runs on a data dir. @module */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The process that holds the lock of the data dir; undefined where none does. It only looks (the lock is not
 * tried, for a daemon that starts meanwhile would be refused): the file says who wrote it, /proc/locks whether
 * it is still held. proc_locks(5).
 */
export function lockHolder(dataDir: string, locks = readLocks()): number | undefined {
  try {
    const file = join(dataDir, 'lock')
    const pid = Number.parseInt(readFileSync(file, 'latin1'), 10)
    const { ino } = statSync(file)
    const held = locks.split('\n').some((line) => {
      const found = /^\d+: FLOCK +\S+ +WRITE +(\d+) \S+:\S+:(\d+) /.exec(line)
      return found !== null && Number(found[1]) === pid && Number(found[2]) === ino
    })
    return held ? pid : undefined
  } catch {
    return undefined
  }
}

function readLocks(): string {
  try {
    return readFileSync('/proc/locks', 'latin1')
  } catch {
    return ''
  }
}
