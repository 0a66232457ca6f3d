/** Classes of bytes in a message's head. RFC 9110 5.5 and 5.6.2, RFC 9112 3. @module */

export const CR = 13
export const LF = 10
export const SP = 32
export const COLON = 58

function table(holds: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (holds(byte) ? 1 : 0))
}

const tchar = new Set([..."!#$%&'*+-.^_`|~"].map((c) => c.charCodeAt(0)))

/** Names of fields, methods: tchar. */
export const TOKEN = table(
  (b) => (b >= 48 && b <= 57) || ((b | 32) >= 97 && (b | 32) <= 122 && b >= 65 && b <= 122) || tchar.has(b),
)

/** Values of fields: visible, blank, tab, and what Latin-1 or UTF-8 need. */
export const VALUE = table((b) => b === 9 || (b >= 32 && b !== 127))

/** A request's target: no blank, no control, no fragment. Bytes beyond ASCII are not legal, and common. */
export const TARGET = table((b) => b > 32 && b !== 127 && b !== 35)

/** Whether every byte of a part is of the class. */
export function allOf(buf: Uint8Array, start: number, end: number, of: Uint8Array): boolean {
  for (let i = start; i < end; i++) if (of[buf[i]!] === 0) return false
  return true
}

const DIGITS = /^[0-9]{1,15}$/

/** A Content-Length, or -1 where the text is none. RFC 9110 8.6: digits and nothing else. */
export function readLength(text: string): number {
  return DIGITS.test(text) ? Number(text) : -1
}
