/** Answers as targets give them, and as they should not. Text is Latin-1: a character is a byte. @module */
import { mutate } from './grammar.ts'
import type { Random } from './random.ts'

/** What a hostile target does with one request. */
export interface TargetAct {
  pieces: Buffer[]
  /** At the end of the pieces: leaves the connection open, ends it, or resets it. */
  end: 'open' | 'end' | 'reset'
}

const ODD = 0.06
const STATUSES = [
  '200 OK',
  '200 OK',
  '200 OK',
  '404 Not Found',
  '500 Oh',
  '204 No Content',
  '304 Not Modified',
  '206 Part',
]
const ODD_STATUSES = [
  '100 Continue',
  '101 Switching Protocols',
  '102 Processing',
  '103 Early Hints',
  '199 x',
  '099 x',
  '600 x',
  '999 x',
  '1000 x',
  '20 x',
  '200',
  '200 ',
  '-200 x',
  '205 Reset',
  '200 O\x01K',
  '200 O\xffK',
  'abc',
]
const ODD_VERSIONS = ['HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1', 'HTTP/0.9', 'ICY', 'HTTP/1.1\t', '']
const ODD_ENDS = ['\n', '\r', '', '\r\r\n', '\0\r\n']
const LINES = [
  'Content-Type: text/html',
  'Content-Type: text/plain',
  'ETag: "a"',
  'ETag: "b"',
  'Set-Cookie: a=1',
  'Set-Cookie: b=2',
  'Vary: Accept',
  'Cache-Control: no-store',
  'Location: /x',
  'Location: /y',
  'Date: now',
  'Date: then',
  'Age: 1',
  'Expires: 0',
  'Keep-Alive: timeout=1',
  'Keep-Alive: timeout=0, max=1',
  'Trailer: X-Sum',
  'X-Latin: \xe4\xff',
  'Content-Encoding: gzip',
  'Retry-After: 1',
  'Strict-Transport-Security: max-age=1',
  'Server: x',
  'Server: y',
  'Link: </a>; rel=preload',
]
const ODD_LINES = [
  'X-A : b',
  ' folded',
  'X-A: b\r\n c',
  'X',
  ': v',
  'X-A: b\0c',
  'X-A: b\rc',
  'X-A: b\nX-C: d',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'Connection: upgrade',
  'HTTP2-Settings: AAMA',
  'Proxy-Connection: close',
  'TE: trailers',
  ':status: 200',
  'X\xff: a',
  `X-Long: ${'y'.repeat(9_000)}`,
  'Content-Length: 3',
  'Transfer-Encoding: gzip',
  'Transfer-Encoding: chunked',
  'Access-Control-Max-Age: 1',
  'Access-Control-Max-Age: 2',
  'Content-MD5: a',
  'Content-MD5: b',
  'Content-Location: a',
  'Content-Location: b',
  'Last-Modified: a',
  'Last-Modified: b',
]
const CONNECTIONS = ['close', 'keep-alive', 'X-A', 'close, keep-alive', 'Upgrade', 'content-length']
const TRAILERS = [
  'X-Sum: 1',
  'X-Sum: 2',
  'Content-Length: 1',
  'ETag: "t"',
  'ETag: "u"',
  'X : y',
  ':path: /',
  'TE: x',
  'HTTP2-Settings: a',
]

function body(random: Random): string {
  const size = random.pick([0, 1, 5, 100, 3_000, 5_000, 70_000])
  return 'HTTP/1.1 '.repeat(Math.ceil(size / 9)).slice(0, size)
}

function answer(random: Random): { text: string; untilClose: boolean } {
  const end = () => random.mostly('\r\n', ODD_ENDS, ODD / 8)
  let text = ''
  while (random.chance(ODD))
    text += `HTTP/1.1 ${random.pick(['100 Continue', '103 Early Hints', '102 x'])}\r\nLink: <a>\r\n\r\n`
  text += `${random.mostly('HTTP/1.1', ODD_VERSIONS, ODD)} ${random.mostly(random.pick(STATUSES), ODD_STATUSES, ODD)}${end()}`
  const lines = Array.from({ length: random.below(5) }, () => random.pick(LINES))
  while (random.chance(ODD)) lines.push(random.pick(ODD_LINES))
  if (random.chance(0.15)) lines.push(`Connection: ${random.pick(CONNECTIONS)}`)
  const payload = body(random)
  const kind = random.next()
  let framed = payload
  if (kind < 0.4) {
    const wrong = random.pick([
      `${payload.length + 1}`,
      `${Math.max(0, payload.length - 1)}`,
      `+${payload.length}`,
      '',
      '1e3',
      '99999999999999999',
      `0x1`,
      '5, 5',
      '-1',
    ])
    lines.push(`Content-Length: ${random.mostly(`${payload.length}`, [wrong], ODD)}`)
    if (random.chance(ODD / 2)) lines.push('Transfer-Encoding: chunked')
  } else if (kind < 0.8) {
    lines.push(
      `Transfer-Encoding: ${random.mostly('chunked', ['Chunked', 'gzip, chunked', 'chunked, gzip', 'identity', 'chunked\t', ''], ODD)}`,
    )
    framed = ''
    for (let at = 0; at < payload.length; ) {
      const size = Math.min(payload.length - at, 1 + random.below(4_500))
      const hex = size.toString(16)
      const line = random.mostly(
        hex,
        ['zz', '', `${hex};x`, `${hex} `, `0${hex}`, 'ffffffffffffffff', `-${hex}`, `${hex};\n`],
        ODD / 4,
      )
      framed += `${line}${end()}${payload.slice(at, at + size)}${end()}`
      at += size
    }
    framed += `${random.mostly('0', ['', '00', '0;a', '-'], ODD)}${end()}`
    while (random.chance(0.1)) framed += `${random.pick(TRAILERS)}${end()}`
    framed += random.mostly('\r\n', ['', '\n', 'X'], ODD)
  }
  for (let i = lines.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    ;[lines[i], lines[j]] = [lines[j]!, lines[i]!]
  }
  text += lines.map((line) => line + end()).join('') + end() + framed
  if (random.chance(ODD / 2)) text += 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
  return { text, untilClose: kind >= 0.8 }
}

/** The next thing that a hostile target does. */
export function act(random: Random): TargetAct {
  const wild = random.next()
  let { text, untilClose } = answer(random)
  if (wild < 0.02) text = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(5_000)
  else if (wild < 0.03) text = `HTTP/1.1 200 OK\r\n${'X-Flood: y\r\n'.repeat(10_000)}`
  else if (wild < 0.04) text = `HTTP/1.1 200 OK\r\nX: ${'z'.repeat(200_000)}`
  else if (wild < 0.06)
    text = String.fromCharCode(...Array.from({ length: 1 + random.below(300) }, () => random.below(256)))
  else if (wild < 0.3) text = mutate(random, text)
  if (random.chance(0.12)) {
    text = text.slice(0, random.below(text.length + 1))
    untilClose = true
  }
  const bytes = Buffer.from(text, 'latin1')
  const pieces: Buffer[] = []
  const most = random.pick([1 << 20, 1 << 20, 5_000, 700, bytes.length < 2_000 ? 1 : 1 << 20])
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.below(most)
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return {
    pieces,
    end: untilClose
      ? random.mostly('end', ['reset'], 0.3)
      : random.mostly('end', ['open', 'open', 'reset'], 0.5),
  }
}
