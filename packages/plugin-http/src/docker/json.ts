import { invalid } from '@kernel/contracts'
import { parseJson, stringifyJson } from '../json.ts'

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
