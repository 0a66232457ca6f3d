/** What an app's owner wants of its answers. @module */
import type { SitePolicy } from '@kernel/contracts'
import { NO_BODY, UNTIL_CLOSE } from '../http1/framing.ts'
import type { ResponseHead } from '../http1/response-head.ts'
import {
  type Coding,
  chooseCoding,
  encodedHeaders,
  isCompressible,
  varyingHeaders,
} from '../policy/compress.ts'

/** Changes the head of an answer; says with which coding its body is to be encoded, if any. */
export function dressAnswer(
  head: ResponseHead,
  { hsts, compress }: SitePolicy,
  secure: boolean,
  acceptEncoding: string | undefined,
): Coding | undefined {
  // An app's own word goes before its owner's setting.
  if (hsts !== undefined && secure && !/^strict-transport-security:/im.test(head.fields))
    head.fields += `Strict-Transport-Security: ${hsts}\r\n`
  return compress === undefined || head.length === NO_BODY
    ? undefined
    : chooseEncoding(head, acceptEncoding, compress)
}

/**
 * Decides whether an answer is encoded, and changes its head for it.
 * @param acceptEncoding what the visitor takes
 */
function chooseEncoding(
  head: ResponseHead,
  acceptEncoding: string | undefined,
  allowed: readonly Coding[],
): Coding | undefined {
  const { status, contentType, contentEncoding, cacheControl, declared } = head
  const encoded = contentEncoding !== undefined
  if (!isCompressible({ contentType, contentLength: declared, status, cacheControl, encoded }))
    return undefined
  const pairs = pairsOf(head.fields)
  const coding = chooseCoding(acceptEncoding, allowed)
  if (coding === undefined) {
    head.fields = linesOf(varyingHeaders(pairs))
    return undefined
  }
  head.fields = linesOf(encodedHeaders(pairs, coding))
  head.declared = undefined
  head.length = UNTIL_CLOSE
  return coding
}

function pairsOf(fields: string): string[] {
  return fields.split('\r\n').flatMap((line) => {
    const colon = line.indexOf(':')
    return colon <= 0 ? [] : [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
}

function linesOf(pairs: readonly string[]): string {
  let lines = ''
  for (let i = 0; i < pairs.length; i += 2) lines += `${pairs[i]}: ${pairs[i + 1]}\r\n`
  return lines
}
