/** One line a request. @module */
import { createWriteStream } from 'node:fs'

export interface AccessLine {
  requestId: string
  app: string
  method: string
  host: string
  /** Its query, which may hold secrets, is left out. */
  path: string
  /** 0 where the visitor left before the answer. */
  status: number
  ms: number
  /** From the request, or the last of its body, to the first byte of the target's answer; 0 without one. */
  upstreamMs: number
  /** The target's id; empty where the edge itself answered. */
  target: string
  /** The visitor's address. */
  client: string
}

export interface AccessLog {
  write(line: AccessLine): void
  close(): Promise<void>
}

/** Lines waiting for a disk that is too slow; beyond it lines are dropped rather than memory filled. */
const MAX_WAITING_BYTES = 8 << 20

/** Appends JSON lines to a file; several threads may append to the same one. Failures go to `onError` once. */
export function openAccessLog(file: string, onError: (error: Error) => void): AccessLog {
  const stream = createWriteStream(file, { flags: 'a', mode: 0o600 })
  let failed = false
  stream.on('error', (error) => {
    if (!failed) onError(error)
    failed = true
  })
  return {
    write(line) {
      if (failed || stream.writableLength > MAX_WAITING_BYTES) return
      const query = line.path.indexOf('?')
      const shown = {
        time: new Date().toISOString(),
        ...line,
        path: query < 0 ? line.path : line.path.slice(0, query),
        ms: tenths(line.ms),
        upstreamMs: tenths(line.upstreamMs),
      }
      stream.write(`${JSON.stringify(shown)}\n`)
    },
    close: () => new Promise((resolve) => stream.close(() => resolve())),
  }
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10
}
