/** The head of a target's answer. RFC 9112 4 and 6.3. @module */
import { allOf, COLON, readLength, SP, TOKEN, VALUE } from './bytes.ts'
import { FIELD, fieldHash, fieldOf, HOP, OTHER } from './fields.ts'
import { type BodyLength, CHUNKED, NO_BODY, UNTIL_CLOSE } from './framing.ts'
import type { HeadLines } from './head-lines.ts'
import { hasTab, trimmed, withoutFields } from './request-head.ts'

export interface ResponseHead {
  status: number
  reason: string
  /** Lines for the visitor, each with its CR LF, without those that frame the body. */
  fields: string
  /** Of the body that follows, which for HEAD and the bodyless statuses is none. */
  length: BodyLength
  /** What Content-Length says, where there is one: an answer to HEAD has one and no body. */
  declared: number | undefined
  /** The connection can carry another request. */
  keepAlive: boolean
  /** Seconds after which the target closes an idle connection, where it says so. */
  keepAliveSec: number | undefined
  /** The protocol that the target changes to. */
  upgrade: string | undefined
  contentType: string | undefined
  contentEncoding: string | undefined
  cacheControl: string | undefined
}

/**
 * Reads the head whose lines are known; undefined where it is no HTTP/1.x, or says two things about its length.
 * @param bodyless whether the request was HEAD
 */
export function readResponseHead(buf: Buffer, lines: HeadLines, bodyless: boolean): ResponseHead | undefined {
  const { ends, count, start } = lines
  const lineEnd = ends[0]!
  // HTTP/1.x SP 3DIGIT SP reason; many servers leave the reason out, some the blank before it.
  if (lineEnd < start + 12 || buf[start + 8] !== SP) return undefined
  const version = buf.toString('latin1', start, start + 8)
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') return undefined
  const status = readLength(buf.toString('latin1', start + 9, start + 12))
  if (status < 100 || status > 599 || (lineEnd > start + 12 && buf[start + 12] !== SP)) return undefined
  if (!allOf(buf, start, lineEnd, VALUE)) return undefined

  const head: ResponseHead = {
    status,
    reason: buf.toString('latin1', Math.min(lineEnd, start + 13), lineEnd),
    fields: '',
    length: NO_BODY,
    declared: undefined,
    keepAlive: version === 'HTTP/1.1',
    keepAliveSec: undefined,
    upgrade: undefined,
    contentType: undefined,
    contentEncoding: undefined,
    cacheControl: undefined,
  }
  let coding: string | undefined
  let connection = ''
  let kept = lineEnd + 2
  let fields = ''
  for (let line = 1; line < count; line++) {
    const begin = ends[line - 1]! + 2
    const end = ends[line]!
    let hash = 0
    let colon = begin
    for (; colon < end; colon++) {
      const byte = buf[colon]!
      if (byte === COLON) break
      if (TOKEN[byte] === 0) return undefined
      hash = fieldHash(hash, byte)
    }
    if (colon === begin || colon === end) return undefined
    if (!allOf(buf, colon + 1, end, VALUE)) return undefined
    const id = fieldOf(buf, begin, colon, hash)
    if (id === OTHER) continue
    let keep = true
    if (id === HOP) keep = false
    else {
      const value = trimmed(buf, colon + 1, end)
      switch (id) {
        case FIELD['content-length'] as number: {
          const length = hasTab(buf, colon, end) ? -1 : readLength(value)
          if (length < 0 || (head.declared !== undefined && head.declared !== length)) return undefined
          head.declared = length
          keep = false
          break
        }
        case FIELD['transfer-encoding'] as number:
          if (hasTab(buf, colon, end)) return undefined
          coding = coding === undefined ? value.toLowerCase() : `${coding}, ${value.toLowerCase()}`
          keep = false
          break
        case FIELD.connection as number:
          connection = connection === '' ? value : `${connection},${value}`
          keep = false
          break
        case FIELD['keep-alive'] as number: {
          const seconds = /\btimeout=(\d{1,6})/i.exec(value)
          if (seconds !== null) head.keepAliveSec = Number(seconds[1])
          keep = false
          break
        }
        case FIELD.upgrade as number:
          head.upgrade = value
          keep = false
          break
        case FIELD['content-type'] as number:
          head.contentType = value
          break
        case FIELD['content-encoding'] as number:
          head.contentEncoding = value
          break
        case FIELD['cache-control'] as number:
          head.cacheControl = value
      }
    }
    if (keep) continue
    if (kept < begin) fields += buf.toString('latin1', kept, begin)
    kept = end + 2
  }
  if (kept < lines.end - 2) fields += buf.toString('latin1', kept, lines.end - 2)
  head.fields = connection === '' ? fields : readConnection(head, connection, fields)

  if (coding !== undefined && (coding !== 'chunked' || head.declared !== undefined)) return undefined
  if (bodyless || status < 200 || status === 204 || status === 304) head.length = NO_BODY
  else head.length = coding === 'chunked' ? CHUNKED : (head.declared ?? UNTIL_CLOSE)
  if (head.length === UNTIL_CLOSE) head.keepAlive = false
  return head
}

function readConnection(head: ResponseHead, connection: string, fields: string): string {
  let named: Set<string> | undefined
  for (const option of connection.toLowerCase().split(',')) {
    const name = option.trim()
    if (name === 'close') head.keepAlive = false
    else if (name === 'keep-alive') head.keepAlive = true
    else if (name !== 'upgrade' && name !== '') {
      named ??= new Set()
      named.add(name)
    }
  }
  if (/(^|,)\s*close\s*(,|$)/i.test(connection)) head.keepAlive = false
  return named === undefined ? fields : withoutFields(fields, named)
}
