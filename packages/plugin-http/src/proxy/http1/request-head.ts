/** A request's head: what the edge must know of it, and what of it a target gets to see. RFC 9112 3 and 5. @module */
import { allOf, COLON, readLength, SP, TARGET, TOKEN, VALUE } from './bytes.ts'
import { DECEPTIVE, FIELD, fieldHash, fieldOf, HOP, IDENTITY, OTHER } from './fields.ts'
import { type BodyLength, CHUNKED, NO_BODY } from './framing.ts'
import type { HeadLines } from './head-lines.ts'

/** Who the visitor is, as a trusted proxy in front says. */
export interface Claims {
  for?: string
  proto?: string
  host?: string
  port?: string
  forwarded?: string
}

export interface RequestHead {
  method: string
  /** For the route table: without port, in the visitor's spelling; empty where HTTP/1.0 gave none. */
  host: string
  /** Host with its port, as the target is told. */
  authority: string
  /** In origin form, with its query. */
  path: string
  /** Of HTTP/1.x. */
  minor: number
  /** Lines for the target, each with its CR LF: what is meant for it, and the framing of the body. */
  fields: string
  length: BodyLength
  /** The visitor waits for a 100 before the body. */
  expects: boolean
  /** The visitor wants the connection to go on. */
  keepAlive: boolean
  /** The protocol that the visitor asks to change to. */
  upgrade: string | undefined
  /** Absent where the visitor gave none that is fit. */
  requestId: string | undefined
  accept: string
  acceptEncoding: string | undefined
  authorization: string | undefined
  claims: Claims | undefined
}

/** Why a request goes to no target. */
export type Refusal = 400 | 417 | 501

/** A visitor's own id of its request is kept where it can do no harm in headers, logs and pages. */
export const REQUEST_ID = /^[\w.:+/=@-]{1,128}$/
const HOST = /^(\[[0-9a-fA-F:.]{2,45}\]|[\w.~%!$&'()*+,;=-]*)(?::\d{0,5})?$/
const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/i
const MAX_METHOD = 32

/**
 * Reads the head whose lines are known. Answers a status where it makes no sense, or could make another sense to
 * another server. @param trusted whether what says who the visitor is may be believed
 */
export function readRequestHead(buf: Buffer, lines: HeadLines, trusted: boolean): RequestHead | Refusal {
  const { ends, count, start } = lines
  const lineEnd = ends[0]!

  // The request line: method SP target SP version.
  const methodEnd = buf.indexOf(SP, start)
  if (methodEnd <= start || methodEnd > start + MAX_METHOD || methodEnd >= lineEnd) return 400
  if (!allOf(buf, start, methodEnd, TOKEN)) return 400
  const targetEnd = lineEnd - 9
  if (targetEnd <= methodEnd + 1 || buf[targetEnd] !== SP) return 400
  if (!allOf(buf, methodEnd + 1, targetEnd, TARGET)) return 400
  const version = buf.toString('latin1', targetEnd + 1, lineEnd)
  const minor = version === 'HTTP/1.1' ? 1 : version === 'HTTP/1.0' ? 0 : -1
  if (minor < 0) return 400
  const method = buf.toString('latin1', start, methodEnd)
  // Servers take what follows for bytes of a tunnel, whatever its head says about a body. RFC 9110 9.3.6.
  if (method === 'CONNECT') return 400

  const head: RequestHead = {
    method,
    host: '',
    authority: '',
    path: encoded(buf.toString('latin1', methodEnd + 1, targetEnd)),
    minor,
    fields: '',
    length: NO_BODY,
    expects: false,
    keepAlive: minor === 1,
    upgrade: undefined,
    requestId: undefined,
    accept: '',
    acceptEncoding: undefined,
    authorization: undefined,
    claims: undefined,
  }
  let hosts = 0
  let lengths = 0
  let codings = 0
  let connection = ''
  let upgrade = ''
  let coding = ''
  let kept = lineEnd + 2
  let fields = ''

  for (let line = 1; line < count; line++) {
    const begin = ends[line - 1]! + 2
    const end = ends[line]!
    let hash = 0
    let colon = begin
    // A blank before the colon, or in front of the line (obs-fold), is no token: such lines are refused.
    for (; colon < end; colon++) {
      const byte = buf[colon]!
      if (byte === COLON) break
      if (TOKEN[byte] === 0) return 400
      hash = fieldHash(hash, byte)
    }
    if (colon === begin || colon === end) return 400
    if (!allOf(buf, colon + 1, end, VALUE)) return 400

    const id = fieldOf(buf, begin, colon, hash)
    if (id === OTHER) continue
    let keep = true
    if (id === HOP || id === DECEPTIVE || id === FIELD['proxy-authenticate']) keep = false
    else if (id === IDENTITY) keep = trusted
    else {
      const value = trimmed(buf, colon + 1, end)
      switch (id) {
        case FIELD.host:
          if (++hosts > 1) return 400
          head.authority = value
          keep = false
          break
        case FIELD['content-length']:
          if (++lengths > 1 || hasTab(buf, colon, end)) return 400
          head.length = readLength(value)
          if (head.length < 0) return 400
          keep = false
          break
        case FIELD['transfer-encoding']:
          if (++codings > 1 || hasTab(buf, colon, end)) return 400
          coding = value.toLowerCase()
          keep = false
          break
        case FIELD.connection:
          connection = connection === '' ? value : `${connection},${value}`
          keep = false
          break
        case FIELD['keep-alive']:
          keep = false
          break
        case FIELD.expect:
          if (value.toLowerCase() !== '100-continue') return 417
          head.expects = minor === 1
          keep = false
          break
        case FIELD.upgrade:
          upgrade = upgrade === '' ? value : `${upgrade}, ${value}`
          keep = false
          break
        case FIELD['x-request-id']:
          if (head.requestId === undefined && REQUEST_ID.test(value)) head.requestId = value
          keep = false
          break
        case FIELD.accept:
          head.accept = value
          break
        case FIELD['accept-encoding']:
          head.acceptEncoding = head.acceptEncoding === undefined ? value : `${head.acceptEncoding}, ${value}`
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
          keep = false
      }
    }
    if (keep) continue
    if (kept < begin) fields += buf.toString('latin1', kept, begin)
    kept = end + 2
  }
  if (kept < lines.end - 2) fields += buf.toString('latin1', kept, lines.end - 2)

  // RFC 9112 6.1: a body of two lengths is how requests are smuggled.
  if (codings > 0) {
    if (lengths > 0 || minor === 0) return 400
    // Another coding than chunked would be between visitor and edge, and lost on the way.
    if (coding !== 'chunked')
      return /(^|,)\s*chunked\s*(,|$)/.test(coding) && !coding.endsWith('chunked') ? 400 : 501
    head.length = CHUNKED
  }
  if (connection !== '') fields = readConnection(head, connection, upgrade, fields)
  // In words of the edge's own: what frames the body leaves nothing to interpret.
  if (codings > 0) fields += 'Transfer-Encoding: chunked\r\n'
  else if (lengths > 0) fields += `Content-Length: ${head.length}\r\n`
  head.fields = fields
  return place(head, hosts) ? head : 400
}

/** Target and Host come to one place. RFC 9112 3.2 and 3.3. */
function place(head: RequestHead, hosts: number): boolean {
  if (hosts === 0 && head.minor === 1) return false
  if (head.path.charCodeAt(0) !== 47) {
    const absolute = ABSOLUTE.exec(head.path)
    if (absolute === null) return false
    // Servers differ in which of the two they believe, so they must agree.
    const [, authority, path] = absolute as unknown as [string, string, string]
    if (hosts > 0 && authority.toLowerCase() !== head.authority.toLowerCase()) return false
    head.authority = authority
    head.path = path.startsWith('/') ? path : `/${path}`
  }
  const name = hostOf(head.authority)
  if (name === undefined) return false
  head.host = name
  return true
}

const BEYOND_ASCII = /[\x80-\xff]/g

/** Bytes beyond ASCII as a URL spells them, which some clients leave to the server. RFC 3987 3.1. */
function encoded(target: string): string {
  return target.replace(BEYOND_ASCII, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** Blanks around a value may be tabs, but servers disagree about that where it matters most. */
export function hasTab(buf: Buffer, start: number, end: number): boolean {
  const tab = buf.indexOf(9, start)
  return tab >= 0 && tab < end
}

/** The host of an authority, without its port. */
export function hostOf(authority: string): string | undefined {
  return HOST.exec(authority)?.[1]
}

/** What Connection says: whether it goes on, to what it changes, and which fields are meant for the edge alone. */
function readConnection(head: RequestHead, connection: string, upgrade: string, fields: string): string {
  const options = connection.toLowerCase().split(',')
  let named: Set<string> | undefined
  for (const option of options) {
    const name = option.trim()
    if (name === 'close') head.keepAlive = false
    else if (name === 'keep-alive') {
      if (head.minor === 0 && !options.some((o) => o.trim() === 'close')) head.keepAlive = true
    } else if (name === 'upgrade') {
      // Clients that offer HTTP/2 only are content with HTTP/1.1. RFC 9110 7.8.
      if (upgrade !== '' && head.minor === 1 && !/\bh2c\b/i.test(upgrade)) head.upgrade = upgrade
    } else if (name !== '') {
      named ??= new Set()
      named.add(name)
    }
  }
  return named === undefined ? fields : withoutFields(fields, named)
}

/** Lines without those of these names. What frames the body stays, whatever Connection says. */
export function withoutFields(fields: string, names: ReadonlySet<string>): string {
  const lines = fields.split('\r\n')
  return lines
    .filter((line) => {
      const name = line.slice(0, Math.max(0, line.indexOf(':'))).toLowerCase()
      return name === 'content-length' || name === 'transfer-encoding' || !names.has(name)
    })
    .join('\r\n')
}

/** Takes note of what a trusted proxy says. @param id of the field, one of those that name the visitor */
export function claim(head: RequestHead, id: number, value: string): void {
  head.claims ??= {}
  const { claims } = head
  const and = (before: string | undefined) => (before === undefined ? value : `${before}, ${value}`)
  if (id === FIELD['x-forwarded-for']) claims.for = and(claims.for)
  else if (id === FIELD['x-forwarded-proto']) claims.proto = value
  else if (id === FIELD['x-forwarded-host']) claims.host = value
  else if (id === FIELD['x-forwarded-port']) claims.port = value
  else claims.forwarded = and(claims.forwarded)
}

/** Without the blanks around it. */
export function trimmed(buf: Buffer, start: number, end: number): string {
  while (start < end && (buf[start] === SP || buf[start] === 9)) start++
  while (end > start && (buf[end - 1] === SP || buf[end - 1] === 9)) end--
  return buf.toString('latin1', start, end)
}
