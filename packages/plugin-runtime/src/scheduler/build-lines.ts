/** Cuts a stream of output into lines. @module */
import type { BuildLine } from '@kernel/contracts'

/** A sink for pieces of text; what is left without a newline comes out by `end`. */
export interface LineSink {
  write(text: string): void
  end(): void
}

/** At most this much of a line is kept; a program may print without ever ending a line. */
const longest = 16_384

/** Each line is handed on without its newline; of a line that was overwritten (`\r`) the last state. */
export function createLineSink(
  onLine: (line: BuildLine) => void,
  kind: BuildLine['kind'] = 'detail',
): LineSink {
  let rest = ''
  const emit = (line: string) =>
    onLine({ kind, text: line.slice(line.lastIndexOf('\r', line.length - 2) + 1).trimEnd() })
  return {
    write(text) {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) emit(line)
      if (rest.length > longest) {
        emit(rest)
        rest = ''
      }
    },
    end() {
      if (rest !== '') emit(rest)
      rest = ''
    },
  }
}
