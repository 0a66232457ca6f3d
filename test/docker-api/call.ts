/** One request to an engine, and what of the answer is compared. @module */
import { type IncomingMessage, request } from 'node:http'

export interface Call {
  method: string
  /** Without the version. */
  path: string
  /** An object goes as JSON; text and bytes as they are. */
  body?: unknown
  headers?: Record<string, string>
  /** Read no more than this: for streams that do not end by themselves. */
  until?: 'first-data' | 'head'
}

export interface Answer {
  status: number
  headers: Record<string, string>
  body: Buffer
}

/** Headers by which clients decide something, as far as they say the same for every engine. */
const compared = [
  'content-type',
  'docker-experimental',
  'ostype',
  'swarm',
  'cache-control',
  'builder-version',
  'upgrade',
]

/** @throws Error where the engine does not answer in time */
export function callEngine(
  socketPath: string,
  version: string,
  { method, path, body, headers = {}, until }: Call,
  timeout = 20_000,
): Promise<Answer> {
  const isRaw = typeof body === 'string' || Buffer.isBuffer(body) || body === undefined
  const payload = isRaw ? (body as string | Buffer | undefined) : JSON.stringify(body)
  const type =
    body === undefined
      ? {}
      : { 'content-type': isRaw && Buffer.isBuffer(body) ? 'application/x-tar' : 'application/json' }
  return new Promise((resolve, reject) => {
    const asking = request({
      socketPath,
      method,
      path: `${version === '' ? '' : `/v${version}`}${path}`,
      agent: false,
      headers: {
        ...type,
        ...(payload !== undefined && { 'content-length': Buffer.byteLength(payload) }),
        ...headers,
      },
    })
    const late = setTimeout(() => asking.destroy(new Error(`no answer within ${timeout} ms`)), timeout)
    const done = (answer: IncomingMessage, pieces: Buffer[]) => {
      clearTimeout(late)
      resolve({ status: answer.statusCode ?? 0, headers: headersOf(answer), body: Buffer.concat(pieces) })
      asking.destroy()
    }
    asking.on('response', (answer) => {
      const pieces: Buffer[] = []
      if (until === 'head') return done(answer, pieces)
      answer.on('data', (piece: Buffer) => {
        pieces.push(piece)
        if (until === 'first-data') done(answer, pieces)
      })
      answer.on('end', () => done(answer, pieces))
      answer.on('error', reject)
    })
    asking.on('upgrade', (answer, socket) => {
      done(answer, [])
      socket.destroy()
    })
    asking.on('error', (error) => {
      clearTimeout(late)
      reject(error)
    })
    asking.end(payload)
  })
}

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    compared.flatMap((name) => (headers[name] === undefined ? [] : [[name, String(headers[name])]])),
  )
}
