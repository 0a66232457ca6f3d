import type { LogEntry, LogOptions } from '@kernel/contracts'
/**
 * @param path the current log file
 * @param stopped undefined where the container does not run: then there is nothing to follow. Resolves when it
 *   ends; what it wrote until then is still delivered.
 */
export declare function readLog(
  path: string,
  options: LogOptions,
  stopped: Promise<unknown> | undefined,
): AsyncGenerator<LogEntry>
