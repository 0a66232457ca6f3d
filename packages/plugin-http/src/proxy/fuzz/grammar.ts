/**
 * Requests as visitors send them, as they should not, and as those send them who want two servers to understand two
 * things. Text is Latin-1: a character is a byte.
 * @module
 */
import type { Random } from './random.ts'

/** How often each part of a message is not as it should be. */
const ODD = 0.04

const METHODS = ['GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH', 'TRACE']
const ODD_METHODS = [
  'get',
  'CONNECT',
  'FOO',
  'M-SEARCH',
  'PRI',
  '',
  'G ET',
  'PROPFIND',
  'SOURCE',
  'GET\t',
  'QUERY',
]
const TARGETS = [
  '/',
  '/a',
  '/a?b=c&d=%20',
  '/a/../b',
  '//x',
  '/%00',
  '/a;b',
  '/~u',
  'http://app.test/x',
  '/"<>\\^`{|}',
]
const ODD_TARGETS = [
  '*',
  'a',
  '/a b',
  '/a#f',
  '/\x80\xff',
  '/\0',
  '/a\tb',
  '',
  'http://app.test',
  'HTTPS://app.test?q',
  'http://other.test/',
  'http://u@app.test/',
  'http://app.test:80/',
  'ftp://app.test/',
  'http:///x',
  '?x',
  'app.test:443',
]
const ODD_VERSIONS = [
  'HTTP/1.0',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/0.9',
  'http/1.1',
  'HTTP/1.1 ',
  'HTTP/01.1',
  '',
]
const ODD_ENDS = ['\n', '\r', '\r\r\n', '\n\r', '', '\r\n ', ' \r\n', '\0\r\n']
const HOSTS = ['app.test', 'app.test', 'APP.test', 'app.test:8080', '[::1]:80', 'app.test.']
const ODD_HOSTS = [
  '',
  'a/b',
  'a b',
  'a,b',
  'u@app.test',
  'app.test:x',
  'other.test',
  'app.test\x80',
  '"',
  'app.test:',
]

const PLAIN = [
  'Accept: */*',
  'User-Agent: fuzz',
  'Cookie: a=1; b=2',
  'X-Empty:',
  'X-Tab:\tv\t',
  `X-Long: ${'x'.repeat(300)}`,
  'X-Latin: \xe4\xff',
  'Accept-Encoding: gzip',
  'X-Forwarded-For: 6.6.6.6',
  'X_Forwarded_For: 6.6.6.6',
  'Forwarded: for=6.6.6.6',
  'Proxy: evil',
  'TE: trailers',
  'Keep-Alive: timeout=5',
  'X-Request-Id: abc',
  'Authorization: Basic YTpi',
  'Content-Type: text/plain',
]
const CONNECTIONS = [
  'close',
  'keep-alive',
  'Close, keep-alive',
  'X-Empty',
  'content-length',
  'Transfer-Encoding, Host',
  'Upgrade',
  'keep-alive, Upgrade, X-Tab',
  ',,',
  'te, close',
]
const ODD_LINES = [
  'X-A : b',
  ' X-A: b',
  '\tX-A: b',
  'X-A',
  ': v',
  'X-A: b\n c',
  'X-A: b\r\n c',
  'X-A: b\r\n\tc',
  'X-A: b\0c',
  'X-A: b\rX-C: d',
  'X-A: b\nX-C: d',
  'X\x80A: b',
  'X A: b',
  'X-A: b\x7f',
  '(: b',
  'Host: other.test',
  'Content-Length: 1',
  'Transfer-Encoding: chunked',
  'Expect: 100-continue',
  'Expect: tea',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMA',
  'Content-Length: 0\r\nContent-Length: 0',
]

const ODD_LENGTHS = (n: number) => [
  `${n + 1}`,
  `${Math.max(0, n - 1)}`,
  `+${n}`,
  `-${n}`,
  `0${n}`,
  `0x${n.toString(16)}`,
  `${n} `,
  `\t${n}\t`,
  `${n},${n}`,
  `${n}, ${n}`,
  `${n} ${n}`,
  `${n}.0`,
  '',
  '99999999999999999999',
  '4294967296',
  '18446744073709551616',
  `${n}\x0b`,
  `${n}e0`,
]
const ODD_CODINGS = [
  'Chunked',
  'CHUNKED',
  ' chunked',
  '\tchunked',
  'chunked ',
  'chunked\t',
  'chunked, chunked',
  'chunked,identity',
  'identity',
  'identity, chunked',
  'gzip, chunked',
  'chunked;q=1',
  'xchunked',
  '"chunked"',
  'chunked,',
  ',chunked',
  '',
  'chunk',
  'chunked\0',
  '\x0bchunked',
  'chunked\r\n\t',
]
const ODD_NAMES = (name: string) => [
  name.toLowerCase(),
  name.toUpperCase(),
  `${name} `,
  ` ${name}`,
  `${name}\t`,
  name.replace('-', '_'),
  `${name}\0`,
  `X-${name}`,
  name.slice(0, -1),
]
const ODD_SIZES = (size: string) => [
  `0${size}`,
  `0x${size}`,
  `+${size}`,
  `-${size}`,
  ` ${size}`,
  `${size} `,
  `${size}\t`,
  size.toUpperCase(),
  '',
  'g',
  `${size};`,
  `${size};a=b`,
  `${size};a="b\r\n"`,
  `${size};a="b;c"`,
  `${size} ;a`,
  `${size};\n`,
  `${size};a\rb`,
  `${size};${'x'.repeat(200)}`,
  'fffffffffffff',
  'ffffffffffffffffff',
  `0000000000000000${size}`,
  `${size}\0`,
  `${size};\x80`,
]
const BODY = [
  '',
  'a',
  'hello',
  '0\r\n\r\n',
  'GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n',
  '\r\n',
  'x'.repeat(700),
]
const TRAILERS = [
  'X-Sum: 1',
  'Host: evil',
  'Content-Length: 5',
  'Transfer-Encoding: chunked',
  'X-A : b',
  ' folded',
  'X',
  'X-Forwarded-For: 1',
  'X: b\nY: c',
]

function header(random: Random, name: string, value: string): string {
  return `${random.mostly(name, ODD_NAMES(name), ODD)}${random.mostly(': ', [':', ':  ', ':\t', ' : ', ''], ODD)}${value}`
}

function chunked(random: Random, body: string): string {
  let text = ''
  const end = () => random.mostly('\r\n', ODD_ENDS, ODD / 3)
  for (let at = 0; at < body.length; ) {
    const size = 1 + random.below(Math.min(64, body.length - at))
    const hex = size.toString(16)
    text += `${random.mostly(hex, ODD_SIZES(hex), ODD)}${end()}${body.slice(at, at + size)}${end()}`
    at += size
  }
  text += `${random.mostly('0', ['00', '0;x=y', '', '000000000000000000', '0 ', '-0'], ODD)}${end()}`
  while (random.chance(0.08)) text += `${random.pick(TRAILERS)}${end()}`
  return `${text}${end()}`
}

/** One request. */
function request(random: Random): string {
  const method = random.mostly(random.pick(METHODS), ODD_METHODS, ODD)
  const target = random.mostly(random.pick(TARGETS), ODD_TARGETS, ODD)
  const version = random.mostly('HTTP/1.1', ODD_VERSIONS, ODD)
  const blank = () => random.mostly(' ', ['  ', '\t', ''], ODD / 4)
  const end = () => random.mostly('\r\n', ODD_ENDS, ODD / 6)
  const lines: string[] = []
  if (!random.chance(ODD / 2))
    lines.push(header(random, 'Host', random.mostly(random.pick(HOSTS), ODD_HOSTS, ODD)))
  for (let n = random.below(4); n > 0; n--) lines.push(random.pick(PLAIN))
  if (random.chance(0.12)) lines.push(header(random, 'Connection', random.pick(CONNECTIONS)))
  while (random.chance(ODD)) lines.push(random.pick(ODD_LINES))

  let body = ''
  const bodied = method === 'POST' || method === 'PUT' || method === 'PATCH'
  if (random.chance(bodied ? 0.95 : 0.06)) {
    const payload = random.pick(BODY)
    const kind = random.next()
    const length = header(
      random,
      'Content-Length',
      random.mostly(`${payload.length}`, ODD_LENGTHS(payload.length), ODD),
    )
    const coding = header(random, 'Transfer-Encoding', random.mostly('chunked', ODD_CODINGS, ODD * 2))
    if (kind < 0.48) {
      lines.push(length)
      body = payload
    } else {
      lines.push(coding)
      if (kind > 0.97) lines.push(length)
      body = chunked(random, payload)
    }
  }
  for (let i = lines.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    ;[lines[i], lines[j]] = [lines[j]!, lines[i]!]
  }
  const lead = random.mostly('', ['\r\n', '\n', '\r\n\r\n', ' '], ODD / 4)
  const head = [`${method}${blank()}${target}${blank()}${version}`, ...lines]
  return `${lead}${head.map((line) => line + end()).join('')}${end()}${body}`
}

const BYTES = [
  '\0',
  '\t',
  '\n',
  '\r',
  '\r\n',
  ' ',
  ':',
  ';',
  ',',
  '0',
  'f',
  '\x7f',
  '\x80',
  '\xff',
  '\x0b',
  '"',
  '\r\n\r\n',
]

/** Changes a text at one place or more. */
export function mutate(random: Random, text: string): string {
  let out = text
  do {
    const at = random.below(out.length + 1)
    const to = Math.min(out.length, at + 1 + random.below(random.chance(0.8) ? 3 : 40))
    const kind = random.below(6)
    if (kind === 0) out = out.slice(0, at) + random.pick(BYTES) + out.slice(at)
    else if (kind === 1) out = out.slice(0, at) + random.pick(BYTES) + out.slice(at + 1)
    else if (kind === 2) out = out.slice(0, at) + out.slice(to)
    else if (kind === 3) out = out.slice(0, to) + out.slice(at, to) + out.slice(to)
    else if (kind === 4) out = out.slice(0, at) + String.fromCharCode(random.below(256)) + out.slice(at + 1)
    else {
      const code = out.charCodeAt(at) || 0
      out = out.slice(0, at) + String.fromCharCode((code ^ (1 << random.below(8))) & 255) + out.slice(at + 1)
    }
  } while (random.chance(0.3))
  return out
}

/** What one visitor sends: a request or more, mutated or not. */
export function visit(random: Random): Buffer {
  let text = request(random)
  while (random.chance(0.3)) text += request(random)
  if (random.chance(0.4)) text = mutate(random, text)
  return Buffer.from(text, 'latin1')
}

/** The same bytes as they may arrive. */
export function split(random: Random, bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  const most = random.pick([1, 2, 7, 64, 4096])
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.below(most)
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}
