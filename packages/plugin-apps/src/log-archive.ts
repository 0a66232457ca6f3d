/**
 * The last output of processes that were retired, so that logs outlive a deploy: one NDJSON file an app below
 * `<dataDir>/apps/logs`, mode 0600, rotated once.
 * @module
 */
import { appendFile, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { AppLogLine, Workload } from '@kernel/contracts'
import { KeyedMutex } from '@kernel/state'
import { processName } from './pipeline/check.ts'
import type { Platform } from './platform.ts'

/** Bytes after which the file is put aside; the one that was aside is dropped. */
const largest = 4 << 20
/** Lines kept of one process. */
const mostLines = 2000

interface StoredLine {
  time: string
  process: string
  stream: 1 | 2
  /** base64: a line need not be UTF-8. */
  data: string
}

export class LogArchive {
  readonly #dir: string
  readonly #turns = new KeyedMutex()

  constructor({ appsDir }: Pick<Platform, 'appsDir'>) {
    this.#dir = join(appsDir, 'logs')
  }

  /** Keeps the end of a process's log; for when it has ended and is not removed yet. */
  async keep({ scheduler }: Pick<Platform, 'scheduler'>, app: string, workload: Workload): Promise<void> {
    const lines: string[] = []
    const process = processName(workload)
    const options = { stdout: true, stderr: true, tail: mostLines }
    for await (const { time, stream, data } of await scheduler.logs(workload.id, options)) {
      const stored: StoredLine = { time, process, stream, data: Buffer.from(data).toString('base64') }
      lines.push(`${JSON.stringify(stored)}\n`)
    }
    if (lines.length === 0) return
    await this.#turns.run(app, async () => {
      const path = this.#path(app)
      const size = await stat(path).then(
        (found) => found.size,
        () => 0,
      )
      if (size > largest) await rename(path, `${path}.1`)
      // A crash or a full disk may have cut off the last line: what comes now must not become a part of it.
      await appendFile(path, `\n${lines.join('')}`, { mode: 0o600 })
    })
  }

  /** In order of time of their processes' ends; the reader sorts. */
  async read(app: string): Promise<AppLogLine[]> {
    const lines: AppLogLine[] = []
    for (const path of [`${this.#path(app)}.1`, this.#path(app)]) {
      const text = await readFile(path, 'utf8').catch(() => '')
      for (const line of text.split('\n')) {
        const stored = parseLine(line)
        if (stored) lines.push({ ...stored, data: Buffer.from(stored.data, 'base64') })
      }
    }
    return lines
  }

  async rename(app: string, newName: string): Promise<void> {
    for (const end of ['', '.1'])
      await rename(this.#path(app) + end, this.#path(newName) + end).catch(() => {})
  }

  async remove(app: string): Promise<void> {
    for (const end of ['', '.1']) await rm(this.#path(app) + end, { force: true })
  }

  #path(app: string): string {
    return join(this.#dir, `${app}.ndjson`)
  }
}

/** Undefined where a crash or a full disk has cut it off. */
function parseLine(line: string): StoredLine | undefined {
  try {
    return JSON.parse(line) as StoredLine
  } catch {
    return undefined
  }
}
