/** What a pusher reads, in Dokku's form. @module */
import { type DeployOutput, problemOf } from '@kernel/contracts'

/** Column 1, clear the line: wipes the `remote: ` that git puts in front. Dokku sends the same. */
const wipe = '\x1b[1G\x1b[K'

/** Output that nobody takes is kept up to here, in bytes; beyond, details are left out. */
const mostWaiting = 4 * 1024 * 1024

/** The part of a stream that is written to. */
export interface OutputSink {
  readonly writableLength: number
  write(text: string): unknown
}

/**
 * Renders lines for `sink`. A build may print faster than a slow line carries; rather than fill the memory,
 * details are left out meanwhile, and a line tells how many.
 */
export function deployOutput(sink: OutputSink): DeployOutput {
  let dropped = 0

  function line(prefix: string, text: string): void {
    sink.write(`${wipe}${prefix}${text}\n`)
  }

  function lines(prefix: string, text: string): void {
    const all = text.replace(/(\r\n|\n|\r)$/, '').split(/\r\n|\n|\r/)
    for (const one of all) line(prefix, one)
  }

  return {
    section: (text) => lines('=====> ', text),
    step: (text) => lines('-----> ', text),
    error: (text) => lines(' !     ', text),
    detail(text) {
      if (sink.writableLength > mostWaiting) {
        dropped++
        return
      }
      if (dropped > 0) line('       ', `(${dropped} lines left out: the connection is too slow for them)`)
      dropped = 0
      lines('       ', text)
    },
  }
}

/** Why a push is refused, and what to do next. */
export function tellFailure(output: DeployOutput, error: unknown): void {
  const problem = problemOf(error)
  output.error(problem?.message ?? `The push failed: ${(error as Error).message}`)
  if (problem?.hint) output.detail(problem.hint)
}

/** For a checkout that nobody watches. */
export const silentOutput: DeployOutput = { section() {}, step() {}, detail() {}, error() {} }
