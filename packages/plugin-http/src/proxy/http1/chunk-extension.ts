/**
 * What may stand behind a chunk's size: `;name`, `;name=token`, `;name="quoted"`. RFC 9112 7.1.1. It means nothing to
 * the edge and goes no further, but must be what it seems: servers that overlook a line break in it are smuggled past.
 * @module
 */
import { TOKEN, VALUE } from './bytes.ts'

/** Where an extension may end, and what may come next. */
const In = { Begin: 1, Name: 2, ValueBegin: 3, Token: 4, Quoted: 5, Escaped: 6, Closed: 7 } as const

const SEMICOLON = 59
const EQUALS = 61
const QUOTE = 34
const BACKSLASH = 92

/** Behind the first `;`. */
export const EXTENSION_BEGIN = In.Begin

/** From the state before a byte to the one after it; 0 where the byte has no place there. */
export function nextInExtension(state: number, byte: number): number {
  switch (state) {
    case In.Begin:
      return TOKEN[byte] === 1 ? In.Name : 0
    case In.Name:
      if (byte === EQUALS) return In.ValueBegin
      return byte === SEMICOLON ? In.Begin : TOKEN[byte] === 1 ? In.Name : 0
    case In.ValueBegin:
      return byte === QUOTE ? In.Quoted : TOKEN[byte] === 1 ? In.Token : 0
    case In.Token:
      return byte === SEMICOLON ? In.Begin : TOKEN[byte] === 1 ? In.Token : 0
    case In.Quoted:
      if (byte === QUOTE) return In.Closed
      if (byte === BACKSLASH) return In.Escaped
      return VALUE[byte] === 1 && byte < 128 ? In.Quoted : 0
    case In.Escaped:
      return VALUE[byte] === 1 && byte < 128 ? In.Quoted : 0
    case In.Closed:
      return byte === SEMICOLON ? In.Begin : 0
  }
  return 0
}

/** Whether the line may end here. */
export function mayEnd(state: number): boolean {
  return state === In.Name || state === In.Token || state === In.Closed
}
