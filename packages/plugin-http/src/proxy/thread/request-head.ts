/** What a visitor's request says, and what of it a target is told. RFC 9110 7.6.1, RFC 9112 3.2. @module */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { BlockList } from 'node:net'
import { isIP } from 'node:net'

export interface RequestHead {
  /** For the route table: without port, in the visitor's spelling; empty where HTTP/1.0 gave none. */
  host: string
  /** In origin form, with its query. */
  path: string
  requestId: string
  /** Names and values in turn, for the target. */
  headers: string[]
  hasBody: boolean
  /** The protocol that the visitor asks to change to. */
  upgrade: string | undefined
}

/** A request that no target gets to see. */
export interface Refusal {
  status: 400 | 431 | 501
  requestId: string
}

/** Headers that are between two neighbours, not between the ends; and some that only deceive. */
const NOT_FORWARDED = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'transfer-encoding',
  'upgrade',
  'expect',
  // "httpoxy": CGI programs take it for the setting HTTP_PROXY.
  'proxy',
])

/** What says who the visitor is: believed from trusted proxies only. */
const IDENTITY = new Set([
  'forwarded',
  'x-real-ip',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-server',
  'x-forwarded-ssl',
  'x-forwarded-scheme',
  'x-forwarded-prefix',
])

/** These the edge writes itself, so they are never copied. */
const REWRITTEN = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port'] as const

const REQUEST_ID = /^[\w.:+/=@-]{1,128}$/
const HOST = /^(\[[0-9a-fA-F:.]+\]|[\w.~%!$&'()*+,;=-]*)(?::\d{0,5})?$/

export function readRequestHead(
  req: IncomingMessage,
  options: { trusted: BlockList; maxHeaders: number; upgrade: boolean },
): RequestHead | Refusal {
  const raw = req.rawHeaders
  const known = req.headers
  const remote = plainAddress(req.socket.remoteAddress ?? '')
  const trusted = isTrusted(options.trusted, remote)
  const given = known['x-request-id']
  const requestId = typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID()
  if (raw.length > options.maxHeaders * 2) return { status: 431, requestId }

  const dropped = connectionOptions(known.connection)
  const headers: string[] = []
  let host: string | undefined
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase()
    if (name === 'host') {
      if (host !== undefined) return { status: 400, requestId }
      host = raw[i + 1]!
      continue
    }
    if (NOT_FORWARDED.has(name) || dropped?.has(name) || name === 'x-request-id') continue
    // Gateways like CGI and WSGI cannot tell X_Forwarded_For from X-Forwarded-For.
    const spelled = name.includes('_') ? name.replaceAll('_', '-') : name
    if (IDENTITY.has(spelled)) {
      if (!trusted || spelled !== name || (REWRITTEN as readonly string[]).includes(name)) continue
    }
    headers.push(raw[i]!, raw[i + 1]!)
  }

  const coding = known['transfer-encoding']
  // Another coding than chunked would be between visitor and edge, and lost on the way.
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return { status: 501, requestId }

  let path = req.url ?? '/'
  if (path.charCodeAt(0) !== 47) {
    const absolute = /^https?:\/\/([^/?#]*)([^#]*)$/i.exec(path)
    if (!absolute) return { status: 400, requestId }
    host = absolute[1]!
    path = absolute[2]!.startsWith('/') ? absolute[2]! : `/${absolute[2]}`
  }
  host ??= ''
  const name = HOST.exec(host)?.[1]
  if (name === undefined) return { status: 400, requestId }

  if (host !== '') headers.push('Host', host)
  const before = (header: (typeof REWRITTEN)[number]) => (trusted ? asText(known[header]) : undefined)
  const chain = before('x-forwarded-for')
  headers.push('X-Forwarded-For', chain ? `${chain}, ${remote}` : remote)
  headers.push('X-Forwarded-Proto', before('x-forwarded-proto') ?? 'http')
  headers.push('X-Forwarded-Host', before('x-forwarded-host') ?? host)
  headers.push('X-Forwarded-Port', before('x-forwarded-port') ?? String(req.socket.localPort))
  headers.push('X-Request-Id', requestId)

  return {
    host: name,
    path,
    requestId,
    headers,
    hasBody: coding !== undefined || (known['content-length'] ?? '0') !== '0',
    upgrade: options.upgrade ? known.upgrade : undefined,
  }
}

/** The headers of an answer that are meant for the visitor: names and values in turn. */
export function answerHeaders(raw: readonly Buffer[], connection: string | string[] | undefined): string[] {
  const dropped = connectionOptions(asText(connection))
  const headers: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toString('latin1')
    const lower = name.toLowerCase()
    if (NOT_FORWARDED.has(lower) && lower !== 'proxy-authenticate') continue
    if (dropped?.has(lower)) continue
    headers.push(name, raw[i + 1]!.toString('latin1'))
  }
  return headers
}

/** The headers that a Connection header declares to be between neighbours. */
function connectionOptions(connection: string | undefined): Set<string> | undefined {
  if (connection === undefined) return undefined
  const value = connection.toLowerCase()
  if (value === 'keep-alive' || value === 'close' || value === 'upgrade') return undefined
  return new Set(value.split(',').map((token) => token.trim()))
}

/** An IPv4 address that came over an IPv6 socket, as IPv4. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address
}

function isTrusted(list: BlockList, address: string): boolean {
  const family = isIP(address)
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

function asText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}
