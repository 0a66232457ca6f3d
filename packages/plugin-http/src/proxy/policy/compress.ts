/** Encoding answers that an app did not (RFC 9110 8.4, 12.5.3). @module */
import type { Transform } from 'node:stream'
import { constants, createBrotliCompress, createGzip, createZstdCompress } from 'node:zlib'

export type Coding = 'zstd' | 'br' | 'gzip'

/** Below this, head and checksum of a coding eat up what it saves. */
const smallest = 1024

/** Types that are text whatever their name says; images, videos, archives and fonts (woff2) are compressed already. */
const compressible =
  /^(?:text\/(?!event-stream)[^;]+|(?:application|image|model)\/(?:[^;]+\+(?:json|xml|text)|json|xml|svg\+xml)|application\/(?:javascript|ecmascript|x-javascript|x-ndjson|ndjson|jsonl|graphql|graphql-response|manifest|rtf|sql|toml|yaml|x-yaml|wasm|vnd\.ms-fontobject|x-sh|xhtml\+xml)|font\/(?:ttf|otf|sfnt|collection)|image\/(?:bmp|x-icon|vnd\.microsoft\.icon))\s*(?:;|$)/i

/**
 * The coding to use: of those that the client takes with the highest weight, the first of `allowed`; undefined where
 * it would rather have the answer as it is.
 * @param acceptEncoding the header; several lines joined by commas. Absent: a client that says nothing gets nothing
 */
export function chooseCoding(
  acceptEncoding: string | undefined,
  allowed: readonly Coding[],
): Coding | undefined {
  if (acceptEncoding === undefined || acceptEncoding === '' || allowed.length === 0) return undefined
  const weights = new Map<string, number>()
  for (const part of acceptEncoding.split(',')) {
    const [name = '', ...parameters] = part.split(';')
    const coding = name
      .trim()
      .toLowerCase()
      .replace(/^x-gzip$/, 'gzip')
    if (coding !== '') weights.set(coding, weightOf(parameters))
  }
  const rest = weights.get('*') ?? 0
  const weigh = (coding: Coding) => weights.get(coding) ?? rest
  let best: Coding | undefined
  for (const coding of allowed) if (weigh(coding) > (best === undefined ? 0 : weigh(best))) best = coding
  // Named with a higher weight, unencoded is what the client wants.
  const identity = weights.get('identity') ?? 0
  return best !== undefined && weigh(best) >= identity ? best : undefined
}

/** 1 where none is given; what is no weight is 0, so that a coding nobody understands is not used. */
function weightOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const [, text] = /^\s*q\s*=\s*(.*?)\s*$/i.exec(parameter) ?? []
    if (text !== undefined) return /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(text) ? Number(text) : 0
  }
  return 1
}

export interface AnswerFacts {
  contentType: string | undefined
  /** Bytes; undefined where the app does not say. */
  contentLength: number | undefined
  status: number
  /** The header, for `no-transform`. */
  cacheControl: string | undefined
  /** Whether the answer has a Content-Encoding, even `identity`. */
  encoded: boolean
}

/**
 * Whether an answer gains by it and may be changed. Never those of HEAD (ask before), parts of a whole (206), events
 * (`text/event-stream`, which each must leave at once), and what the app encoded or forbade to change.
 */
export function isCompressible({
  contentType,
  contentLength,
  status,
  cacheControl,
  encoded,
}: AnswerFacts): boolean {
  if (encoded || status < 200 || status === 204 || status === 205 || status === 206 || status === 304)
    return false
  if (contentLength !== undefined && contentLength < smallest) return false
  if (contentType === undefined || !compressible.test(contentType)) return false
  return cacheControl === undefined || !/(?:^|[\s,])no-transform(?:$|[\s,;])/i.test(cacheControl)
}

/**
 * A stream that encodes. What the app flushed leaves at once: write a piece, and call `flush()` where none follows
 * soon. Levels are for answers made on the fly: about as fast as the network, within some percent of the smallest.
 */
export function createEncoder(coding: Coding): Transform & { flush(callback?: () => void): void } {
  switch (coding) {
    case 'zstd':
      // RFC 9659: no window larger than 8 MiB, or browsers refuse it.
      return createZstdCompress({
        params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_windowLog]: 21 },
      })
    case 'br':
      return createBrotliCompress({
        params: { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_LGWIN]: 19 },
      })
    case 'gzip':
      return createGzip({ level: 5 })
  }
}

/**
 * The headers of an encoded answer: Content-Encoding is there, Content-Length and Accept-Ranges are not (they were of
 * other bytes), a strong ETag is weak (RFC 9110 8.8.1), and digests of the content are gone.
 * @param pairs name, value, name, value, as in `rawHeaders`
 */
export function encodedHeaders(pairs: readonly string[], coding: Coding): string[] {
  const headers: string[] = []
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const [name, value] = [pairs[at]!, pairs[at + 1]!]
    const lower = name.toLowerCase()
    if (ofTheBytes.has(lower)) continue
    headers.push(name, lower === 'etag' && !value.startsWith('W/') ? `W/${value}` : value)
  }
  headers.push('Content-Encoding', coding)
  return varyingHeaders(headers)
}

const ofTheBytes = new Set(['content-length', 'accept-ranges', 'content-md5', 'content-digest', 'digest'])

/**
 * The headers with `Vary: Accept-Encoding`. Due for every answer that would be encoded for another client, encoded
 * now or not, so that no cache gives one client the bytes of another.
 */
export function varyingHeaders(pairs: readonly string[]): string[] {
  const headers = [...pairs]
  const at = headers.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'vary')
  if (at < 0) return [...headers, 'Vary', 'Accept-Encoding']
  const value = headers[at + 1]!
  if (!/(?:^|[\s,])(?:\*|accept-encoding)(?:$|[\s,])/i.test(value))
    headers[at + 1] = `${value}, Accept-Encoding`
  return headers
}
