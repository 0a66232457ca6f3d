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

const SPACE = 0x20

/** @param line without its newline; @returns undefined where it is not a line of a log (cut off by a crash) */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const afterTime = line.indexOf(SPACE)
  const afterStream = line.indexOf(SPACE, afterTime + 1)
  const afterTag = line.indexOf(SPACE, afterStream + 1)
  if (afterTime < 20 || afterStream < 0 || afterTag < 0) return undefined
  const stream = line.toString('latin1', afterTime + 1, afterStream)
  const tag = line.toString('latin1', afterStream + 1, afterTag)
  if ((stream !== 'stdout' && stream !== 'stderr') || (tag !== 'F' && tag !== 'P')) return undefined
  const time = toUtc(line.toString('latin1', 0, afterTime))
  if (!time) return undefined
  return {
    time,
    stream: stream === 'stderr' ? 2 : 1,
    partial: tag === 'P',
    text: line.subarray(afterTag + 1),
  }
}

/** conmon writes local time with its zone: `2026-11-21T00:00:00.123456789+02:00`. */
function toUtc(text: string): string | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{1,9})(Z|[+-]\d\d:\d\d)$/.exec(text)
  if (!match) return undefined
  const [, seconds = '', fraction = '', zone = 'Z'] = match
  const nanos = fraction.padEnd(9, '0')
  if (zone === 'Z' || zone === '+00:00' || zone === '-00:00') return `${seconds}.${nanos}Z`
  return `${new Date(`${seconds}${zone}`).toISOString().slice(0, 19)}.${nanos}Z`
}

/** Nanoseconds since 1970 of a time as {@link parseLogLine} gives it. */
export function nanosOf(time: string): bigint {
  return BigInt(Date.parse(`${time.slice(0, 19)}Z`)) * 1_000_000n + BigInt(time.slice(20, 29))
}

/** Bytes of a line after which it is passed on in pieces. */
const MAX_JOINED = 1 << 20

/** Puts the pieces of a line together again, for each stream; the time is that of the first piece. */
export class LineJoiner {
  private readonly open = new Map<1 | 2, { time: string; pieces: Buffer[]; bytes: number }>()

  /** @returns the entry that this line completes, with its newline */
  add(line: LogLine): LogEntry | undefined {
    const begun = this.open.get(line.stream)
    const time = begun?.time ?? line.time
    const bytes = (begun?.bytes ?? 0) + line.text.length
    const pieces = begun?.pieces ?? []
    pieces.push(line.text)
    if (line.partial && bytes < MAX_JOINED) {
      this.open.set(line.stream, { time, pieces, bytes })
      return undefined
    }
    this.open.delete(line.stream)
    return { stream: line.stream, time, data: Buffer.concat(line.partial ? pieces : [...pieces, NEWLINE]) }
  }

  /** What never got its newline, oldest first; for the end of the log. */
  rest(): LogEntry[] {
    const entries = [...this.open].map(([stream, { time, pieces }]) => ({
      stream,
      time,
      data: Buffer.concat(pieces),
    }))
    this.open.clear()
    return entries.toSorted((a, b) => (a.time < b.time ? -1 : 1))
  }
}

const NEWLINE = Buffer.from('\n')
