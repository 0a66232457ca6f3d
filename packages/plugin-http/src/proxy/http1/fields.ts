/** The fields that the edge knows by name; all others only pass through. @module */

export const FIELD = {
  host: 1,
  'content-length': 2,
  'transfer-encoding': 3,
  connection: 4,
  expect: 5,
  upgrade: 6,
  'x-request-id': 7,
  'x-forwarded-for': 8,
  'x-forwarded-proto': 9,
  'x-forwarded-host': 10,
  'x-forwarded-port': 11,
  forwarded: 12,
  accept: 13,
  'accept-encoding': 14,
  authorization: 15,
  'content-type': 16,
  'content-encoding': 17,
  'cache-control': 18,
  'keep-alive': 19,
  'strict-transport-security': 20,
  etag: 21,
  vary: 22,
  'accept-ranges': 23,
  /** Between two neighbours, not between the ends (RFC 9110 7.6.1). */
  'proxy-connection': 32,
  'proxy-authorization': 32,
  'proxy-authenticate': 33,
  te: 32,
  'http2-settings': 32,
  /** "httpoxy": CGI programs take it for the setting HTTP_PROXY. */
  proxy: 32,
  /** What says who the visitor is: believed from trusted proxies only. */
  'x-real-ip': 34,
  'x-forwarded-server': 34,
  'x-forwarded-ssl': 34,
  'x-forwarded-scheme': 34,
  'x-forwarded-prefix': 34,
} as const
export const OTHER = 0
export const HOP = 32
export const IDENTITY = 34
/** A name with an underscore that reads like one of the identity fields to gateways such as CGI and WSGI. */
export const DECEPTIVE = 35

const identity = new Set<number>([8, 9, 10, 11, 12, 34])

interface Known {
  name: Uint8Array
  id: number
}

const known = new Map<number, Known>()
for (const [name, id] of Object.entries(FIELD)) {
  add(name, id)
  if (identity.has(id)) for (const spelling of withUnderscores(name)) add(spelling, DECEPTIVE)
}

/** Every spelling that has an underscore in place of one hyphen or more. */
function withUnderscores(name: string): string[] {
  const [first = '', ...rest] = name.split('-')
  const spellings = rest.reduce((all, part) => all.flatMap((s) => [`${s}-${part}`, `${s}_${part}`]), [first])
  return spellings.filter((spelling) => spelling.includes('_'))
}

function add(name: string, id: number): void {
  const bytes = Buffer.from(name)
  let hash = 0
  for (const byte of bytes) hash = fieldHash(hash, byte)
  if (known.has(hash)) throw new Error(`the names of two fields have one hash: ${name}`)
  known.set(hash, { name: bytes, id })
}

/** One step of a hash that is the same for both cases of a letter. */
export function fieldHash(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + (byte | 32)) | 0
}

/** The id of the name at `start`, whose hash is `hash`; OTHER for a stranger. Names that mix `-` and `_` are deceptive too. */
export function fieldOf(buf: Uint8Array, start: number, end: number, hash: number): number {
  const candidate = known.get(hash)
  if (candidate === undefined || candidate.name.length !== end - start) return OTHER
  const { name } = candidate
  for (let i = 0; i < name.length; i++) {
    const byte = buf[start + i]!
    const lower = byte >= 65 && byte <= 90 ? byte | 32 : byte
    if (lower !== name[i]) return OTHER
  }
  return candidate.id
}

/** For names as text, in lower case. */
export function fieldNamed(name: string): number {
  const id = (FIELD as Record<string, number>)[name]
  if (id !== undefined) return id
  return name.includes('_') && identity.has((FIELD as Record<string, number>)[name.replaceAll('_', '-')] ?? 0)
    ? DECEPTIVE
    : OTHER
}
