/** Lines of conmon's log: `TIME stdout|stderr F|P text` (the Kubernetes CRI log format). @module */
import type { LogEntry } from '@kernel/contracts'
export interface LogLine {
  /** RFC 3339 in UTC with nine digits. */
  time: string
  stream: 1 | 2
  /** Whether the line went on: conmon saw no newline yet. */
  partial: boolean
  /** Without the newline that ends it in the file. */
  text: Buffer
}
/** @param line without its newline; @returns undefined where it is not a line of a log (cut off by a crash) */
export declare function parseLogLine(line: Buffer): LogLine | undefined
/** Nanoseconds since 1970 of a time as {@link parseLogLine} gives it. */
export declare function nanosOf(time: string): bigint
/** Puts the pieces of a line together again, for each stream; the time is that of the first piece. */
export declare class LineJoiner {
  private readonly open
  /** @returns the entry that this line completes, with its newline */
  add(line: LogLine): LogEntry | undefined
  /** What never got its newline, oldest first; for the end of the log. */
  rest(): LogEntry[]
}
