import { invalid } from '@kernel/contracts'

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

/** An answer as dockerd writes it, with the final newline. */
export function answerJson(value: unknown, status = 200): Response {
  return new Response(`${stringifyJson(value)}\n`, {
    status,
    headers: { 'Content-Type': 'application/json' },
  })
}

/** Bytes; a container's definition has some thousand. */
const longestBody = 8 * 1024 * 1024

/**
 * The body of a request; undefined where there is none and `allowEmpty` is set.
 * @throws invalid as moby's httputils.ReadJSON does: another Content-Type, no JSON, more after the JSON
 */
export async function readJson(request: Request, options: { allowEmpty?: boolean } = {}): Promise<unknown> {
  const text = await readText(request)
  const type = request.headers.get('content-type')
  const essence = type?.split(';', 1)[0]?.trim().toLowerCase()
  if (essence !== 'application/json' && (text !== '' || type !== null))
    throw invalid(`unsupported Content-Type header (${type ?? ''}): must be 'application/json'`)
  if (text.trim() === '') {
    if (options.allowEmpty) return undefined
    throw invalid('invalid JSON: got EOF while reading request body')
  }
  try {
    return parseJson(text)
  } catch (error) {
    throw invalid(`invalid JSON: ${(error as Error).message}`, { cause: error })
  }
}

async function readText(request: Request): Promise<string> {
  if (request.body === null) return ''
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body) {
    size += chunk.byteLength
    if (size > longestBody) throw invalid(`The body is longer than ${longestBody} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
