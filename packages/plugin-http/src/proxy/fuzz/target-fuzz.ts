/** A running edge before a target that lies: what it makes of the answers, beside what Node's client makes of them. @module */
import { once } from 'node:events'
import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { act, type TargetAct } from './answers.ts'
import { listen, openApp, openLab } from './lab.ts'
import { Random } from './random.ts'

export interface TargetReport {
  requests: number
  /** Answers of the target that came through whole. */
  passed: number
  /** Of these, encoded on the way. */
  encoded: number
  /** Answered by the edge's own 502. */
  refused: number
  /** Broken off in their midst. */
  cut: number
  /** Begun and never ended by a target that says no more; its visitor has to leave. */
  stalled: number
  /** Requests of which nothing was heard in time. */
  hung: number
  crashes: string[]
  disagreements: string[]
}

export interface ReadAnswer {
  status: number
  coding: string | undefined
  /** Latin-1. */
  body: string
  /** The parser has come to the answer's end, whatever came behind it. */
  whole: boolean
  /** Why the exchange failed; undefined where it did not. */
  error: string | undefined
}

const TIMEOUT_MS = 10_000
/** For an answer that has begun. */
const STALL_MS = 2_000
/** Answers that leave the connection open are waited for until this limit of the edge. */
const SLOW_MS = 400
const LANES = 32

export async function fuzzTargets(seed: number, count: number): Promise<TargetReport> {
  const random = new Random(seed)
  const lab = await openLab({ settings: { responseTimeoutMs: SLOW_MS } })
  const hostile = await openHostile()
  const good = await openApp((_, res) => void res.end('good\n'))
  await lab.lead('', good.port)
  const agent = new Agent({ keepAlive: true })
  const report: TargetReport = {
    requests: 0,
    passed: 0,
    encoded: 0,
    refused: 0,
    cut: 0,
    stalled: 0,
    hung: 0,
    crashes: lab.crashes(),
    disagreements: [],
  }

  async function round(lane: number): Promise<void> {
    const method = random.mostly('GET', ['HEAD', 'POST'], 0.2)
    const next = act(random)
    hostile.acts.set(String(lane), next)
    const [through, direct] = await Promise.all([
      ask(method, { port: lab.port, host: '127.0.0.1', agent, path: `/${lane}` }),
      ask(method, { createConnection: () => recite(next), path: '/' }),
    ])
    report.requests++
    if (through.error === 'hung') {
      if (through.status !== 0 && next.end === 'open') report.stalled++
      else {
        report.hung++
        report.disagreements.push(describe('nothing is heard', method, next, through, direct))
      }
    } else if (through.error !== undefined) report.cut++
    else if (through.status === 502 || through.status === 504) report.refused++
    else {
      report.passed++
      if (through.coding !== direct.coding) report.encoded++
      // Whole for the visitor is whole for the oracle, and the same.
      const same = direct.whole && direct.status === through.status && isSameBody(direct, through)
      if (!same && !repeatsLength(next))
        report.disagreements.push(
          describe('an answer is whole behind the edge only', method, next, through, direct),
        )
    }
    if (through.error?.startsWith('HPE_'))
      report.disagreements.push(describe('the edge writes what is no HTTP', method, next, through, direct))
    if (!random.chance(0.2)) return
    const after = await ask('GET', {
      port: lab.port,
      host: '127.0.0.1',
      agent,
      headers: { host: 'good.test' },
    })
    if (after.body !== 'good\n')
      report.disagreements.push(describe('the next request fails', method, next, after, direct))
  }

  try {
    // Every other app has its answers encoded on the way.
    for (let lane = 0; lane < LANES; lane++)
      await lab.lead(`h${lane}.test`, hostile.port, lane % 2 === 0 ? {} : { compress: ['gzip'] })
    let left = count
    await Promise.all(
      Array.from({ length: LANES }, async (_, lane) => {
        while (left-- > 0) await round(lane)
      }),
    )
  } finally {
    agent.destroy()
    await lab.close()
    good.close()
    hostile.close()
  }
  return report

  function ask(method: string, options: RequestOptions): Promise<ReadAnswer> {
    const host = 'path' in options ? `h${String(options.path).slice(1)}.test` : ''
    return readAnswer(method, { headers: { host, 'accept-encoding': 'gzip' }, ...options })
  }
}

/** A server that does what is laid down for the path of a request. */
export async function openHostile(): Promise<{ port: number; acts: Map<string, TargetAct>; close(): void }> {
  const acts = new Map<string, TargetAct>()
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (chunk: Buffer) => {
      const lane = /^[A-Z]+ \/(\d+) HTTP/.exec(chunk.toString('latin1'))?.[1]
      const next = lane === undefined ? undefined : acts.get(lane)
      if (next) void perform(socket, next)
    })
  })
  const port = await listen(server)
  const close = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { port, acts, close }
}

async function perform(socket: Socket, { pieces, end }: TargetAct): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return
    if (!socket.write(piece))
      await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {})
    else if (pieces.length < 200) await new Promise(setImmediate)
  }
  if (end === 'end') socket.end()
  else if (end === 'reset') socket.resetAndDestroy()
}

/** The act without a network in between. */
function recite({ pieces, end }: TargetAct): Socket {
  let asked = false
  const wire = new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      done()
      if (asked) return
      asked = true
      for (const piece of pieces) wire.push(piece)
      if (end === 'end') wire.push(null)
      else setImmediate(() => wire.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' })))
    },
  })
  return wire as Socket
}

/** A known difference: the same length told twice is no reason for the edge to refuse an answer, and it tells it once. */
function repeatsLength({ pieces }: TargetAct): boolean {
  const [head = ''] = Buffer.concat(pieces).toString('latin1').split('\r\n\r\n', 1)
  const lengths = [...head.matchAll(/^content-length: *(\d+) *$/gim)].map(([, length]) => Number(length))
  return lengths.length > 1 && new Set(lengths).size === 1 && !/^transfer-encoding/im.test(head)
}

/** What is lost of the oracle's body stood in one packet with what broke its connection. */
function isSameBody(direct: ReadAnswer, through: ReadAnswer): boolean {
  const encoded = direct.coding === undefined && through.coding === 'gzip'
  const body = encoded ? gunzipSync(Buffer.from(through.body, 'latin1')).toString('latin1') : through.body
  return direct.error === undefined ? direct.body === body : body.startsWith(direct.body)
}

/** One request by Node's client. */
function readAnswer(method: string, options: RequestOptions): Promise<ReadAnswer> {
  return new Promise((resolve) => {
    const answer: ReadAnswer = { status: 0, coding: undefined, body: '', whole: false, error: undefined }
    let res: IncomingMessage | undefined
    let over = false
    const finish = (error?: Error & { code?: string }) => {
      if (over) return
      over = true
      clearTimeout(timer)
      answer.error = error?.code ?? error?.message
      answer.whole = res?.complete ?? false
      req.destroy()
      resolve(answer)
    }
    let timer = setTimeout(() => finish(new Error('hung')), TIMEOUT_MS)
    const req = request({ ...options, method }, (begun: IncomingMessage) => {
      res = begun
      clearTimeout(timer)
      timer = setTimeout(() => finish(new Error('hung')), STALL_MS)
      answer.status = begun.statusCode ?? 0
      answer.coding = begun.headers['content-encoding']
      begun.on('data', (piece: Buffer) => {
        answer.body += piece.toString('latin1')
      })
      begun.on('error', finish)
      begun.on('end', () => finish(begun.complete ? undefined : new Error('not whole')))
      begun.on('close', () => finish(begun.complete ? undefined : new Error('not whole')))
    })
    req.on('error', finish)
    req.on('upgrade', (_, socket: Socket) => {
      socket.destroy()
      finish(new Error('upgraded'))
    })
    req.end()
  })
}

function describe(
  what: string,
  method: string,
  { pieces, end }: TargetAct,
  edge: ReadAnswer,
  direct: ReadAnswer,
): string {
  const bytes = JSON.stringify(Buffer.concat(pieces).toString('latin1'))
  const brief = (of: ReadAnswer) =>
    JSON.stringify({ ...of, body: of.body.slice(0, 80), size: of.body.length })
  return `${what}: ${method}, ${end} after ${bytes.slice(0, 1_500)}\n  edge   ${brief(edge)}\n  oracle ${brief(direct)}`
}
