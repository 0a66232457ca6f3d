/** HTTP/2 over TLS: odd heads, resets and many streams from visitors, odd answers from targets. @module */
import { type ClientHttp2Session, connect, constants, type OutgoingHttpHeaders } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { act } from './answers.ts'
import { type Lab, openApp, openLab } from './lab.ts'
import { Random } from './random.ts'
import { openHostile } from './target-fuzz.ts'

export interface Http2Report {
  streams: number
  answered: number
  /** Closed by either side without an answer. */
  reset: number
  /** What was asked by streams that were neither answered nor closed in time. */
  hung: string[]
  /** Connections of noise at the port for TLS. */
  noise: number
  crashes: string[]
  /** Sessions after which a plain request failed. */
  failures: string[]
}

const SESSION_STREAMS = 40
const STREAM_MS = 10_000
const HEADERS: Array<[string, string | string[]]> = [
  ['cookie', ['a=1', 'b=2']],
  ['x-a', 'b'],
  ['x-latin', '\xe4'],
  ['x-empty', ''],
  ['content-length', '3'],
  ['content-length', '0'],
  ['content-length', 'x'],
  ['expect', '100-continue'],
  ['expect', 'tea'],
  ['te', 'trailers'],
  ['x-forwarded-for', '6.6.6.6'],
  ['x_forwarded_for', '6.6.6.6'],
  ['host', 'other.test'],
  ['host', 'app.test'],
  ['x-long', 'x'.repeat(9_000)],
  ['accept-encoding', 'gzip'],
  ['range', 'bytes=0-1'],
]
const PATHS = [
  '/',
  '/a?b',
  '*',
  '',
  '/a b',
  '/a#b',
  '/\x80',
  'a',
  'http://app.test/',
  '//x',
  `/${'l'.repeat(5_000)}`,
]
const METHODS = ['GET', 'POST', 'HEAD', 'PUT', 'OPTIONS', 'CONNECT', 'get', 'A B', 'TRACE', 'X'.repeat(50)]
const AUTHORITIES = ['app.test', 'h1.test', 'a/b', '', 'app.test:x', 'u@app.test', 'unknown.example']

export async function fuzzHttp2(seed: number, streams: number): Promise<Http2Report> {
  const random = new Random(seed)
  const lab = await openLab({ tls: true, settings: { responseTimeoutMs: 1_000 } })
  const hostile = await openHostile()
  const app = await openApp((req, res) => {
    req.on('error', () => {}).resume()
    res.end('good\n')
  })
  await lab.lead('', app.port)
  await lab.lead('h1.test', hostile.port)
  const report: Http2Report = {
    streams: 0,
    answered: 0,
    reset: 0,
    hung: [],
    noise: 0,
    crashes: lab.crashes(),
    failures: [],
  }
  try {
    while (report.streams < streams) {
      await fuzzSession(lab, random, report, hostile.acts)
      await noise(lab, random)
      report.noise++
      const session = open(lab)
      const answer = await ask(session, { ':path': '/', ':authority': 'app.test' }).catch(String)
      if (answer !== '200 good\n') report.failures.push(answer)
      session.destroy()
    }
  } finally {
    await lab.close()
    app.close()
    hostile.close()
  }
  return report
}

function open(lab: Lab): ClientHttp2Session {
  const session = connect('https://app.test', {
    createConnection: () =>
      connectTls({
        port: lab.tlsPort,
        host: '127.0.0.1',
        servername: 'app.test',
        ALPNProtocols: ['h2'],
        rejectUnauthorized: false,
      }),
  })
  session.on('error', () => {})
  return session
}

async function fuzzSession(
  lab: Lab,
  random: Random,
  report: Http2Report,
  acts: Map<string, ReturnType<typeof act>>,
): Promise<void> {
  const session = open(lab)
  const work: Promise<void>[] = []
  for (let n = 0; n < SESSION_STREAMS && !session.destroyed; n++) {
    report.streams++
    const bad = random.chance(0.4)
    let path = random.mostly('/', PATHS, 0.2)
    if (bad) {
      path = `/${report.streams}`
      acts.set(String(report.streams), act(random))
    }
    const headers: OutgoingHttpHeaders = {
      ':method': random.mostly(random.pick(['GET', 'HEAD', 'POST']), METHODS, 0.15),
      ':path': path,
      ':authority': bad ? 'h1.test' : random.mostly('app.test', AUTHORITIES, 0.15),
    }
    while (random.chance(0.3)) {
      const [name, value] = random.pick(HEADERS)
      headers[name] = value
    }
    work.push(stream(session, random, headers, report))
    if (random.chance(0.3)) await new Promise(setImmediate)
  }
  if (random.chance(0.2)) session.destroy()
  await Promise.all(work)
  session.destroy()
}

function stream(
  session: ClientHttp2Session,
  random: Random,
  headers: OutgoingHttpHeaders,
  report: Http2Report,
): Promise<void> {
  return new Promise((resolve) => {
    const bodied = headers[':method'] === 'POST' || random.chance(0.2)
    let answered = false
    let over = false
    let left = 'left open'
    const finish = (how: 'answered' | 'reset' | 'hung') => {
      if (over) return
      over = true
      clearTimeout(timer)
      if (how === 'hung') report.hung.push(`${left}: ${JSON.stringify(headers)}`)
      else report[how]++
      resolve()
    }
    // A target may begin an answer and never end it: that is for the visitor to leave.
    const timer = setTimeout(() => {
      finish(answered ? 'answered' : 'hung')
      request?.close(constants.NGHTTP2_CANCEL)
    }, STREAM_MS)
    let request: ReturnType<ClientHttp2Session['request']> | undefined
    try {
      request = session.request(headers, { endStream: !bodied })
    } catch {
      // Node's client refuses some of it itself.
      finish('reset')
      return
    }
    request.on('error', () => {})
    request.on('response', () => {
      answered = true
    })
    request.on('close', () => finish(answered ? 'answered' : 'reset'))
    request.resume()
    if (!bodied) return
    const size = random.chance(0.3) ? random.below(70_000) : 0
    if (size > 0) request.write('x'.repeat(size))
    const code = random.chance(0.1)
      ? random.pick([constants.NGHTTP2_CANCEL, constants.NGHTTP2_INTERNAL_ERROR])
      : undefined
    left = `after ${size} bytes ${code === undefined ? 'ended' : `closed with ${code}`}`
    if (code === undefined) request.end('abc')
    else request.close(code)
  })
}

function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = session.request(headers)
    let text = ''
    request.on('response', (head) => {
      text = `${head[':status']} `
    })
    request.setEncoding('latin1').on('data', (piece: string) => {
      text += piece
    })
    request.on('error', reject)
    session.on('error', reject)
    request.on('close', () => resolve(text))
  })
}

/** Bytes at the port for TLS that are none, or a ClientHello that is not what it was. */
function noise(lab: Lab, random: Random): Promise<void> {
  return new Promise((resolve) => {
    const socket = connectTcp({ port: lab.tlsPort, host: '127.0.0.1' })
    const bytes = Buffer.from(Array.from({ length: 1 + random.below(400) }, () => random.below(256)))
    // A record of a handshake, so that more than the first byte is looked at.
    if (random.chance(0.5)) Buffer.from([22, 3, 1, bytes.length >> 8, bytes.length & 255, 1]).copy(bytes)
    socket.on('error', () => {}).on('close', () => resolve())
    socket.on('data', () => socket.destroy())
    socket.write(bytes, () => setTimeout(() => socket.destroy(), 20))
  })
}
