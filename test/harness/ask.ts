/** The daemon's socket without any client of ours or Docker's. @module */
import { request } from 'node:http'

export interface Answer {
  /** 0 where the connection broke before the answer was whole. */
  status: number
  body: Buffer
}

export interface AskOptions {
  body?: unknown
  /** Milliseconds without a byte. */
  timeout?: number
}

/** One request; a connection that breaks is an answer too. */
export function answerOf(
  socketPath: string,
  method: string,
  path: string,
  { body, timeout = 60_000 }: AskOptions = {},
): Promise<Answer> {
  return new Promise((resolve) => {
    const lost = () => resolve({ status: 0, body: Buffer.alloc(0) })
    const headers = body === undefined ? {} : { 'content-type': 'application/json' }
    const asking = request({ socketPath, method, path, headers, timeout, agent: false }, (answer) => {
      const pieces: Buffer[] = []
      answer.on('data', (piece: Buffer) => pieces.push(piece))
      answer.once('error', lost)
      answer.once('close', () => {
        if (answer.complete) resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(pieces) })
        else lost()
      })
    })
    asking.once('timeout', () => asking.destroy(new Error('no answer')))
    asking.once('error', lost)
    asking.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** An answer in JSON. @throws where it is none, or says that something is wrong */
export async function ask<T>(
  socketPath: string,
  method: string,
  path: string,
  options?: AskOptions,
): Promise<T> {
  const { status, body } = await answerOf(socketPath, method, path, options)
  const text = body.toString('utf8')
  // 501: a daemon without containers has none to remove.
  if (status === 501) return [] as T
  if (status === 0 || status >= 300) throw new Error(`${method} ${path}: ${status} ${text.slice(0, 500)}`)
  return (text === '' ? [] : JSON.parse(text)) as T
}
