/**
 * The little of a terminal's line discipline (termios(3)) that commands need whose output and input are pipes, while
 * the client's terminal is raw.
 * @module
 */
import { type Readable, Transform, type Writable } from 'node:stream'

const CR = 0x0d
const LF = 0x0a

/** ONLCR: `\n` becomes `\r\n`; a `\r\n` stays what it is. */
export function withCarriageReturns(source: Readable): Readable {
  let last = 0
  return source.pipe(
    new Transform({
      transform(data: Buffer, _encoding, done) {
        const out = Buffer.allocUnsafe(data.length * 2)
        let size = 0
        for (const byte of data) {
          if (byte === LF && last !== CR) out[size++] = CR
          out[size++] = byte
          last = byte
        }
        done(null, out.subarray(0, size))
      },
    }),
  )
}

/** Longest line that can be typed, as with Linux's terminals. */
const longestLine = 4095

/**
 * ICANON, ECHO, ISIG, ICRNL: hands on whole lines, echoes what is typed, lets it be erased (backspace, ^U), ends at
 * ^D on an empty line, calls `interrupt` at ^C.
 */
export function cookedInput(source: Readable, echo: Writable, interrupt: () => void): Readable {
  let line: number[] = []
  let ended = false
  const show = (text: string | Uint8Array) => {
    if (echo.writable) echo.write(text)
  }
  const rubOut = () => {
    // A character of UTF-8 is more than one byte, and one column.
    while ((line.pop()! & 0xc0) === 0x80) {}
    show('\b \b')
  }
  return source.pipe(
    new Transform({
      transform(data: Buffer, _encoding, done) {
        for (const byte of data) {
          if (ended) break
          if (byte === CR || byte === LF) {
            this.push(Buffer.from([...line, LF]))
            line = []
            show('\r\n')
          } else if (byte === 0x03) {
            line = []
            show('^C\r\n')
            interrupt()
          } else if (byte === 0x04) {
            if (line.length > 0) this.push(Buffer.from(line))
            else {
              ended = true
              this.push(null)
            }
            line = []
          } else if (byte === 0x7f || byte === 0x08) {
            if (line.length > 0) rubOut()
          } else if (byte === 0x15) {
            while (line.length > 0) rubOut()
          } else if (byte >= 0x20 && line.length < longestLine) {
            line.push(byte)
            show(Buffer.of(byte))
          }
        }
        done()
      },
      flush(done) {
        if (!ended && line.length > 0) this.push(Buffer.from(line))
        done()
      },
    }),
  )
}
