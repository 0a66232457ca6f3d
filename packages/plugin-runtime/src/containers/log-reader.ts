/** Reads a container's log over all its files, and goes on with it while the container runs. @module */
import fs from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { LogEntry, LogOptions } from '@kernel/contracts'
import { logFiles } from './log-files.ts'
import { LineJoiner, nanosOf, parseLogLine } from './log-line.ts'
import { tailPosition } from './log-tail.ts'

const CHUNK = 256 << 10
const NEWLINE = 0x0a

/**
 * @param path the current log file
 * @param stopped undefined where the container does not run: then there is nothing to follow. Resolves when it
 *   ends; what it wrote until then is still delivered.
 */
export async function* readLog(
  path: string,
  options: LogOptions,
  stopped: Promise<unknown> | undefined,
): AsyncGenerator<LogEntry> {
  const { since, until, signal } = options
  const wanted = (stream: 1 | 2) => (stream === 1 ? options.stdout !== false : options.stderr !== false)
  const follow = options.follow === true && stopped !== undefined
  const wake = follow ? createWake(path, stopped, options) : undefined
  const joiner = new LineJoiner()
  const reader = new RotatingFile(path)
  try {
    if (options.tail !== undefined) {
      const files = logFiles(path)
      const start = tailPosition(files, options.tail, wanted)
      if (start) await reader.open(start.file, start.offset)
      else await reader.openEnd()
    } else await reader.openFirst(since)

    for (;;) {
      const last = wake?.isOver() ?? true
      for await (const line of reader.lines()) {
        if (signal?.aborted) return
        const parsed = parseLogLine(line)
        if (!parsed || !wanted(parsed.stream)) continue
        const entry = joiner.add(parsed)
        if (!entry) continue
        if (since !== undefined && nanosOf(entry.time) < since) continue
        if (until !== undefined && nanosOf(entry.time) > until) return
        yield entry
      }
      if (last || signal?.aborted) break
      await wake?.next()
    }
    for (const entry of joiner.rest()) {
      if (since !== undefined && nanosOf(entry.time) < since) continue
      if (until !== undefined && nanosOf(entry.time) > until) continue
      yield entry
    }
  } finally {
    wake?.close()
    await reader.close()
  }
}

/** Sleeps until the log grows or is rotated (one inotify watch on its folder), or it is time to end. */
function createWake(path: string, stopped: Promise<unknown>, options: LogOptions) {
  let over = false
  let fresh = true
  let resume: (() => void) | undefined
  const ring = () => {
    fresh = true
    resume?.()
  }
  const finish = () => {
    over = true
    ring()
  }
  const name = basename(path)
  let watcher: fs.FSWatcher | undefined
  try {
    watcher = fs.watch(dirname(path), (_event, file) => {
      if (file === null || file === name) ring()
    })
    watcher.on('error', finish)
  } catch {
    over = true
  }
  stopped.then(finish, finish)
  options.signal?.addEventListener('abort', finish)
  const left = options.until === undefined ? undefined : Number(options.until / 1_000_000n) - Date.now()
  const timer = left !== undefined && left < 2 ** 31 ? setTimeout(finish, Math.max(0, left) + 1) : undefined
  return {
    isOver: () => over,
    next: async () => {
      if (!fresh && !over)
        await new Promise<void>((resolve) => {
          resume = resolve
        })
      fresh = false
    },
    close: () => {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', finish)
      watcher?.close()
    },
  }
}

/** A log as one sequence of lines, though it is made of files that are renamed while they are read. */
class RotatingFile {
  private readonly path: string
  private handle: FileHandle | undefined
  private inode = 0
  private offset = 0
  private rest: Buffer = Buffer.alloc(0)

  constructor(path: string) {
    this.path = path
  }

  async open(file: string, offset: number): Promise<void> {
    await this.close()
    this.handle = await open(file, 'r')
    this.inode = (await this.handle.stat()).ino
    this.offset = offset
    this.rest = Buffer.alloc(0)
  }

  /** The oldest file that may hold something from `since` on. */
  async openFirst(since?: bigint): Promise<void> {
    const files = logFiles(this.path)
    const milliseconds = since === undefined ? 0 : Number(since / 1_000_000n)
    const first = files.find((file) => fs.statSync(file).mtimeMs >= milliseconds) ?? files.at(-1)
    if (first) await this.open(first, 0)
  }

  async openEnd(): Promise<void> {
    const file = logFiles(this.path).at(-1)
    if (file) await this.open(file, fs.statSync(file).size)
  }

  /** All whole lines up to where the newest file ends now. */
  async *lines(): AsyncGenerator<Buffer> {
    if (!this.handle) await this.openFirst()
    while (this.handle) {
      // Asked before the last read: a file that has a successor is not written to any more.
      const next = this.successor()
      yield* this.toEnd(this.handle)
      if (next === undefined) return
      await this.open(next, 0)
    }
  }

  private async *toEnd(handle: FileHandle): AsyncGenerator<Buffer> {
    const chunk = Buffer.allocUnsafe(CHUNK)
    for (;;) {
      const { bytesRead } = await handle.read(chunk, 0, CHUNK, this.offset)
      if (bytesRead === 0) {
        // A file that became shorter was started anew by conmon.
        if (this.offset > 0 && (await handle.stat()).size < this.offset) {
          this.offset = 0
          continue
        }
        return
      }
      this.offset += bytesRead
      const text = Buffer.concat([this.rest, chunk.subarray(0, bytesRead)])
      let start = 0
      for (let end = text.indexOf(NEWLINE); end >= 0; end = text.indexOf(NEWLINE, start)) {
        const line = text.subarray(start, end)
        start = end + 1
        yield line
      }
      this.rest = text.subarray(start)
    }
  }

  /** The file after the one that is open; undefined while there is none. */
  private successor(): string | undefined {
    const files = logFiles(this.path)
    const here = files.findIndex((file) => inodeOf(file) === this.inode)
    if (here >= 0) return files[here + 1]
    return files[0] // so slow that the one that was read is gone
  }

  async close(): Promise<void> {
    await this.handle?.close()
    this.handle = undefined
  }
}

function inodeOf(file: string): number {
  try {
    return fs.statSync(file).ino
  } catch {
    return -1
  }
}
