/**
 * The output of a deploy: in memory while it runs, so that readers get all of it and then what comes, and in a
 * file (NDJSON, mode 0600) for later. Bounded: the middle of an endless output is nobody's.
 * @module
 */
import { createWriteStream, type WriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { DeployLine, OnLine } from '@kernel/contracts'

export type StampedLine = DeployLine & { time: string }

/** Lines that are kept; one more says that there were more. */
const mostLines = 20_000

export class DeployLog {
  readonly #lines: StampedLine[] = []
  readonly #file: WriteStream
  readonly #onProblem: (error: Error) => void
  #closed = false
  #change = Promise.withResolvers<void>()

  constructor(path: string, onProblem: (error: Error) => void) {
    this.#onProblem = onProblem
    this.#file = createWriteStream(path, { flags: 'a', mode: 0o600 })
    // A full disk must not end a deploy for its log's sake.
    this.#file.on('error', this.#onProblem)
  }

  readonly write: OnLine = (line) => {
    if (this.#closed || this.#lines.length > mostLines) return
    const { kind, text } =
      this.#lines.length === mostLines
        ? ({ kind: 'detail', text: '(more output is not kept)' } as const)
        : line
    const stamped = { kind, text, time: new Date().toISOString() }
    this.#lines.push(stamped)
    if (!this.#file.destroyed) this.#file.write(`${JSON.stringify(stamped)}\n`)
    this.#wake()
  }

  /** Ends it; readers end too. Resolves when the file is written. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#wake()
    if (this.#file.destroyed) return
    await new Promise<void>((resolve) => {
      this.#file.once('close', () => resolve())
      this.#file.end()
    })
  }

  async *read({ follow = false, signal }: { follow?: boolean; signal?: AbortSignal } = {}) {
    const aborted = Promise.withResolvers<void>()
    signal?.addEventListener('abort', () => aborted.resolve(), { once: true })
    for (let at = 0; !signal?.aborted; ) {
      const line = this.#lines[at]
      if (line !== undefined) {
        at += 1
        yield line
      } else if (follow && !this.#closed) await Promise.race([this.#change.promise, aborted.promise])
      else return
    }
  }

  #wake(): void {
    this.#change.resolve()
    this.#change = Promise.withResolvers()
  }
}

/** What a finished deploy wrote; empty where nothing is kept. A line that a crash cut off is left out. */
export async function readDeployLog(path: string): Promise<StampedLine[]> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const lines = text.split('\n')
  if (!text.endsWith('\n')) lines.pop()
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as StampedLine)
}
