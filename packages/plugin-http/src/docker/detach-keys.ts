import { invalid } from '@kernel/contracts'

/** The bytes that let go of a terminal, in their order. */
export type DetachKeys = readonly number[]

/** ctrl-p, ctrl-q. */
export const defaultDetachKeys: DetachKeys = [16, 17]

/**
 * Reads `ctrl-p,ctrl-q` or `a,ctrl-c`: single characters, or `ctrl-` with a letter or one of `@ [ \ ] ^ _`.
 * @throws invalid
 */
export function parseDetachKeys(text: string | undefined): DetachKeys {
  if (text === undefined || text === '') return defaultDetachKeys
  return text.split(',').map((key) => {
    const control = /^ctrl-([a-zA-Z@[\\\]^_])$/.exec(key)?.[1]
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f
    if (Buffer.byteLength(key) === 1) return key.charCodeAt(0)
    throw invalid(`Unknown character: '${key}'`, {
      hint: 'Keys are single characters or ctrl-<letter>, with commas.',
    })
  })
}

/**
 * Watches what is typed. Keys that may become the sequence are kept back until it is clear that they do not.
 * @returns for each chunk what goes to the process, and whether the sequence is complete
 */
export function splitAtDetach(
  keys: DetachKeys,
): (chunk: Uint8Array) => { before: Uint8Array; detached: boolean } {
  let matched = 0
  return (chunk) => {
    const out: number[] = []
    for (const byte of chunk) {
      if (byte === keys[matched]) {
        matched++
        if (matched === keys.length) return { before: Uint8Array.from(out), detached: true }
        continue
      }
      out.push(...keys.slice(0, matched))
      matched = byte === keys[0] ? 1 : 0
      if (matched === 0) out.push(byte)
    }
    return { before: Uint8Array.from(out), detached: false }
  }
}
