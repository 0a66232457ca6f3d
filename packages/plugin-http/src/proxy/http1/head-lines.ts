/** Where the lines of a message's head begin and end, found as its bytes arrive. @module */
import { CR, LF } from './bytes.ts'

export type Progress = 'more' | 'done' | 'bad' | 'too-large' | 'too-many'

/**
 * Finds the lines of one head. Call `scan` again with the same bytes and more behind them: nothing is looked at twice,
 * so that a visitor who sends byte by byte costs no more than one who sends at once.
 *
 * Every line must end with CR LF. A bare LF is refused rather than understood, since the next server might understand
 * it otherwise (RFC 9112 2.2).
 */
export class HeadLines {
  /** Where each line ends, before its CR LF; the first is the start line. */
  readonly ends: Int32Array
  count = 0
  /** Where the start line begins: empty lines in front of it are passed over. */
  start = 0
  /** After the empty line; valid when `scan` answered `done`. */
  end = 0
  #at = 0
  readonly #maxBytes: number

  constructor(maxBytes: number, maxFields: number) {
    this.#maxBytes = maxBytes
    this.ends = new Int32Array(maxFields + 1)
  }

  reset(at: number): void {
    this.count = 0
    this.start = at
    this.end = 0
    this.#at = at
  }

  /** The begin of a line. */
  begin(line: number): number {
    return line === 0 ? this.start : this.ends[line - 1]! + 2
  }

  scan(buf: Buffer): Progress {
    for (;;) {
      const lf = buf.indexOf(LF, this.#at)
      if (lf < 0) return buf.length - this.start > this.#maxBytes ? 'too-large' : 'more'
      if (lf + 1 - this.start > this.#maxBytes) return 'too-large'
      const end = lf - 1
      const begin = this.begin(this.count)
      if (end < begin || buf[end] !== CR) return 'bad'
      this.#at = lf + 1
      if (end > begin) {
        if (this.count === this.ends.length) return 'too-many'
        this.ends[this.count++] = end
      } else if (this.count > 0) {
        this.end = lf + 1
        return 'done'
      } else {
        // RFC 9112 2.2: an empty line before the request line is ignored. Those bytes count toward the limit.
        if (lf + 1 > this.#maxBytes) return 'too-large'
        this.start = lf + 1
      }
    }
  }
}
