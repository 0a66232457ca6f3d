/** The head of an HTTP/2 request, as if it had come over HTTP/1.1. RFC 9113 8.3. @module */
import type { IncomingHttpHeaders } from 'node:http2'
import { readLength } from '../http1/bytes.ts'
import { DECEPTIVE, FIELD, fieldNamed, HOP, IDENTITY } from '../http1/fields.ts'
import { CHUNKED, NO_BODY } from '../http1/framing.ts'
import { claim, hostOf, REQUEST_ID, type Refusal, type RequestHead } from '../http1/request-head.ts'

const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/
const PATH = /^\/[\x21\x22\x24-\x7e\x80-\xff]*$/
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * What crosses from HTTP/2 to HTTP/1.1 is checked again, byte by byte: a line break that is harmless in one would be
 * another request in the other.
 * @param raw names and values in turn @param whole whether the stream ends with its head
 */
export function readStreamHead(
  headers: IncomingHttpHeaders,
  raw: readonly string[],
  whole: boolean,
  trusted: boolean,
): RequestHead | Refusal {
  const method = headers[':method'] ?? ''
  const path = headers[':path'] ?? ''
  const authority = headers[':authority'] ?? headers.host ?? ''
  if (!METHOD.test(method) || method === 'CONNECT' || !PATH.test(path)) return 400
  if (headers[':authority'] !== undefined && headers.host !== undefined && headers.host !== authority)
    return 400
  const host = hostOf(authority)
  if (host === undefined || host === '') return 400
  const head: RequestHead = {
    method,
    host,
    authority,
    path,
    minor: 1,
    fields: '',
    length: whole ? NO_BODY : CHUNKED,
    expects: false,
    keepAlive: true,
    upgrade: undefined,
    requestId: undefined,
    accept: '',
    acceptEncoding: undefined,
    authorization: undefined,
    claims: undefined,
  }
  let fields = ''
  let cookies = ''
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!
    const value = raw[i + 1]!
    if (name.startsWith(':')) continue
    if (!NAME.test(name) || !VALUE.test(value)) return 400
    const id = fieldNamed(name)
    switch (id) {
      case FIELD.host:
      case FIELD.connection:
      case FIELD['keep-alive']:
      case FIELD['transfer-encoding']:
      case FIELD.upgrade:
      case FIELD['proxy-authenticate']:
      case HOP:
      case DECEPTIVE:
        continue
      case IDENTITY:
        if (trusted) fields += `${name}: ${value}\r\n`
        continue
      case FIELD['content-length']:
        head.length = readLength(value)
        if (head.length < 0) return 400
        break
      case FIELD.expect:
        if (value.toLowerCase() !== '100-continue') return 417
        head.expects = true
        continue
      case FIELD['x-request-id']:
        if (REQUEST_ID.test(value)) head.requestId ??= value
        continue
      case FIELD.accept:
        head.accept = value
        break
      case FIELD['accept-encoding']:
        head.acceptEncoding = value
        break
      case FIELD.authorization:
        head.authorization = value
        break
      case FIELD['x-forwarded-for']:
      case FIELD['x-forwarded-proto']:
      case FIELD['x-forwarded-host']:
      case FIELD['x-forwarded-port']:
      case FIELD.forwarded:
        if (trusted) claim(head, id, value)
        continue
      default:
        // RFC 9113 8.2.3: a cookie may come in crumbs, and leaves as one.
        if (name === 'cookie') {
          cookies = cookies === '' ? value : `${cookies}; ${value}`
          continue
        }
    }
    fields += `${name}: ${value}\r\n`
  }
  if (whole) {
    if (head.length > 0) return 400
    head.length = NO_BODY
  } else if (head.length === CHUNKED) fields += 'transfer-encoding: chunked\r\n'
  if (cookies !== '') fields += `cookie: ${cookies}\r\n`
  head.fields = fields
  return head
}
