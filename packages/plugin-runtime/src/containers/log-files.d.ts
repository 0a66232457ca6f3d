import { type HostConfig } from '@kernel/contracts'
export interface LogPolicy {
  /** `none`: nothing is kept. */
  driver: 'file' | 'none'
  /** Bytes of one file. */
  maxSize: number
  /** How many files, the current one included. */
  maxFile: number
}
/** @throws invalid on a driver that is not known, or a size that is none */
export declare function logPolicyOf(config: HostConfig['LogConfig']): LogPolicy
/** Paths that exist, oldest first; the current one is last. */
export declare function logFiles(path: string): string[]
/**
 * Renames `log` to `log.1` and so on, dropping the oldest. Whoever writes must then open `log` anew; until it
 * does, it goes on writing to `log.1`, and nothing is lost.
 */
export declare function rotateLog(path: string, maxFile: number): void
