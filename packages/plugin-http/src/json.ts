/**
 * JSON as Go's encoding/json reads and writes it: int64 survives. Numbers that a double does not hold exactly
 * are bigints.
 */

// ECMAScript 2025 (JSON.parse with source text access), which the library of TypeScript does not have yet.
const json = JSON as unknown as {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown
  rawJSON(text: string): unknown
}

/** @throws SyntaxError */
export function parseJson(text: string): unknown {
  return json.parse(text, (_key, value, { source }) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value) || !/^-?\d+$/.test(source ?? ''))
      return value
    const exact = BigInt(source as string)
    return BigInt(value) === exact ? value : exact
  })
}

export function stringifyJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'bigint') return json.rawJSON(item.toString())
    // JSON.stringify rounds to the shortest text that reads back as the same double: not the same int64.
    if (typeof item === 'number' && Number.isInteger(item) && !Number.isSafeInteger(item))
      return json.rawJSON(BigInt(item).toString())
    return item
  })
}
