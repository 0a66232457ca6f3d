/** Writes what a process says in the form of container logs, so that one reader serves both drivers. @module */
import { closeSync, openSync, statSync, writeSync } from 'node:fs'
import { logPolicyOf, rotateLog } from '../../containers/log-files.ts'

export interface LogWriter {
  write(stream: 1 | 2, data: Buffer): void
  close(): void
}

const { maxSize, maxFile } = logPolicyOf(undefined)

/**
 * Appends `TIME stdout|stderr F|P text` lines to `path`, bounded by rotation. A piece without a newline is
 * written at once as a partial line, so that a follower sees a prompt. Synchronous: a line that was read from
 * the process is in the file before the next is read.
 */
export function createLogWriter(path: string): LogWriter {
  let fd = openSync(path, 'a', 0o600)
  let size = statSync(path).size
  let last = 0n

  function now(): string {
    const nanos = BigInt(Date.now()) * 1_000_000n
    last = nanos > last ? nanos : last + 1n
    const seconds = new Date(Number(last / 1_000_000_000n) * 1000).toISOString().slice(0, 19)
    return `${seconds}.${String(last % 1_000_000_000n).padStart(9, '0')}Z`
  }

  return {
    write(stream, data) {
      const name = stream === 1 ? 'stdout' : 'stderr'
      const out: Buffer[] = []
      for (let start = 0; start < data.length; ) {
        const end = data.indexOf(0x0a, start)
        const whole = end >= 0
        const text = data.subarray(start, whole ? end : data.length)
        out.push(Buffer.from(`${now()} ${name} ${whole ? 'F' : 'P'} `), text, Buffer.from('\n'))
        start = whole ? end + 1 : data.length
      }
      const bytes = Buffer.concat(out)
      if (size > 0 && size + bytes.length > maxSize) {
        closeSync(fd)
        rotateLog(path, maxFile)
        fd = openSync(path, 'a', 0o600)
        size = 0
      }
      writeSync(fd, bytes)
      size += bytes.length
    },
    close: () => closeSync(fd),
  }
}
