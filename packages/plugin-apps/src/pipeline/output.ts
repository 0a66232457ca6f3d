/** Lines of a deploy, on their way to whoever reads them. @module */
import type { DeployLine, DeployOutput, OnLine } from '@kernel/contracts'

/** Characters; longer lines are cut, so that a minified file in an error message does no harm. */
const longestLine = 4096

/** An output that gives every line to all of `sinks`; a text of many lines is split. */
export function createOutput(...sinks: OnLine[]): DeployOutput {
  const write = (kind: DeployLine['kind']) => (text: string) => {
    for (const line of text.replace(/\r?\n$/, '').split(/\r\n|\n|\r(?!$)/)) {
      const short = line.length > longestLine ? `${line.slice(0, longestLine)}...` : line
      for (const sink of sinks) sink({ kind, text: short })
    }
  }
  return { section: write('section'), step: write('step'), detail: write('detail'), error: write('error') }
}

/** A sink that writes into an output somebody else made. */
export const toOutput =
  (output: DeployOutput): OnLine =>
  ({ kind, text }) =>
    output[kind](text)

/**
 * Puts pieces of a process's output together to lines.
 * @param onLine gets each line without its end
 */
export function lineSplitter(onLine: (line: string) => void) {
  const decoder = new TextDecoder()
  let rest = ''
  const flush = (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > longestLine) {
      lines.push(rest)
      rest = ''
    }
    for (const line of lines) onLine(line.replace(/\r$/, ''))
  }
  return {
    push: (data: Uint8Array) => flush(decoder.decode(data, { stream: true })),
    end(): void {
      flush(decoder.decode())
      if (rest !== '') onLine(rest)
      rest = ''
    },
  }
}
