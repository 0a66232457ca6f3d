/** Where the last lines of a log begin, found from its end. @module */
import fs from 'node:fs'
import { parseLogLine } from './log-line.ts'

const BLOCK = 64 << 10
const NEWLINE = 0x0a

export interface LogPosition {
  file: string
  /** Bytes from the start of the file. */
  offset: number
}

/**
 * The position from which exactly the last `count` whole lines (pieces rejoined, both streams counted
 * together) follow. Reads backwards, so that a long log costs no more than its tail.
 * @param files oldest first
 * @param wanted which streams count
 */
export function tailPosition(
  files: string[],
  count: number,
  wanted: (stream: 1 | 2) => boolean,
): LogPosition | undefined {
  if (count <= 0) return undefined
  let left = count
  let start: LogPosition | undefined
  // Each stream's newest line may lack its end still; it counts, too.
  const seen = new Set<1 | 2>()
  for (const file of files.toReversed()) {
    for (const { line, offset } of linesBackwards(file)) {
      const parsed = parseLogLine(line)
      if (!parsed || !wanted(parsed.stream)) continue
      const endsLine = !parsed.partial || !seen.has(parsed.stream)
      seen.add(parsed.stream)
      if (endsLine && left-- === 0) return start
      start = { file, offset }
    }
  }
  return start
}

/** The lines of a file from its last to its first. */
function* linesBackwards(file: string): Generator<{ line: Buffer; offset: number }> {
  const fd = fs.openSync(file, 'r')
  try {
    let position = fs.fstatSync(fd).size
    let rest: Buffer = Buffer.alloc(0)
    let first = true
    while (position > 0) {
      const length = Math.min(BLOCK, position)
      position -= length
      const block = Buffer.alloc(length)
      fs.readSync(fd, block, 0, length, position)
      rest = Buffer.concat([block, rest])
      for (let end = rest.length; ; ) {
        const before = rest.lastIndexOf(NEWLINE, end - 1)
        if (before < 0) {
          rest = rest.subarray(0, end)
          break
        }
        // What follows the last newline is a line that is being written: left out.
        if (!first) yield { line: rest.subarray(before + 1, end), offset: position + before + 1 }
        first = false
        end = before
        if (end === 0) {
          rest = rest.subarray(0, 0)
          break
        }
      }
    }
    if (rest.length > 0 && !first) yield { line: rest, offset: 0 }
  } finally {
    fs.closeSync(fd)
  }
}
