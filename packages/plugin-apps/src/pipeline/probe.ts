/** Single questions to a process: does its port answer, its path, a command of its own. @module */
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { problemOf, type Scheduler } from '@kernel/contracts'
import { describeError } from '@kernel/kernel'

export interface Address {
  host: string
  port: number
}

/**
 * Milliseconds that a connection within one machine may take: the kernel accepts or refuses it at once. Only where
 * the process has gone with its network nobody answers, and then it is the process that has to be looked at.
 */
export const connectMs = 250

/** Resolves when a TCP connection is accepted. */
export function probePort(address: Address, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(address)
    const end = (settle: () => void) => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      settle()
    }
    const onAbort = () => end(() => reject(new Error(`port ${address.port} did not answer in time`)))
    signal.addEventListener('abort', onAbort)
    socket.once('connect', () => end(resolve))
    socket.once('error', (error) =>
      end(() =>
        reject(new Error(`port ${address.port}: ${(error as NodeJS.ErrnoException).code ?? error.message}`)),
      ),
    )
    if (signal.aborted) onAbort()
  })
}

/** Bytes of an answer that are searched for `content`. */
const mostBody = 1 << 20

export interface HttpProbe extends Address {
  path: string
  /** `Host` header: a domain of the app, since some frameworks answer no other. */
  hostHeader: string
  content?: string
  scheme?: 'http' | 'https'
  headers?: Record<string, string>
}

/** Resolves when the path answers 2xx or 3xx and, where asked, has the content. */
export function probeHttp(
  { host, port, path, hostHeader, content, scheme = 'http', headers: more }: HttpProbe,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (why: string) => reject(new Error(`GET ${path} ${why}`))
    const headers = { host: hostHeader, 'user-agent': 'kernel-check', accept: '*/*', ...more }
    const request = scheme === 'https' ? requestHttps : requestHttp
    // Within this machine, a certificate proves nothing that the address does not.
    const options = { host, port, path, headers, agent: false, signal, rejectUnauthorized: false }
    const asked = request(options, (answer) => {
      const status = answer.statusCode ?? 0
      const passed = status >= 200 && status < 400
      if (!passed || content === undefined) {
        answer.destroy()
        if (passed) resolve()
        else refuse(`answered ${status}`)
        return
      }
      const pieces: Buffer[] = []
      let size = 0
      const judge = () =>
        Buffer.concat(pieces).includes(content)
          ? resolve()
          : refuse(`does not contain ${JSON.stringify(content)}`)
      answer.on('data', (piece: Buffer) => {
        pieces.push(piece)
        size += piece.length
        if (size > mostBody) answer.destroy()
      })
      answer.once('close', judge)
      answer.once('error', () => {})
    })
    asked.once('error', (error) =>
      refuse(signal.aborted ? 'did not answer in time' : `failed: ${error.message}`),
    )
    asked.end()
  })
}

/** Resolves when the command, run beside the process, exits with 0. */
export async function probeCommand(scheduler: Scheduler, id: string, command: string[], signal: AbortSignal) {
  const run = await scheduler.exec(id, { command })
  const late = () => {
    void run.kill?.()
    run.stream.detach()
  }
  signal.addEventListener('abort', late, { once: true })
  try {
    const tail: Buffer[] = []
    const drained = (async () => {
      for await (const { data } of run.stream.output) if (tail.push(Buffer.from(data)) > 20) tail.shift()
    })()
    const { promise: aborted, reject } = Promise.withResolvers<never>()
    signal.addEventListener('abort', () => reject(new Error('the check did not end in time')), { once: true })
    const { exitCode } = await Promise.race([run.exit, aborted])
    await Promise.race([drained, aborted])
    if (exitCode !== 0) {
      const said = Buffer.concat(tail).toString().trim().split('\n').at(-1)
      throw new Error(`the check exited with ${exitCode}${said ? `: ${said}` : ''}`)
    }
  } finally {
    signal.removeEventListener('abort', late)
  }
}

export interface Retry {
  /** Absent: until the signal. */
  attempts?: number
  /** Milliseconds between two; absent: 20 at first, growing to 200. */
  waitMs?: number
  /** Milliseconds of a single attempt. */
  attemptMs: number
}

/**
 * Asks until it passes. A listening socket has no event that could be waited for from outside, so this is the
 * one place that polls.
 * @throws the last failure, where the attempts or the time are used up; a `failed` problem at once
 */
export async function retry(
  attempt: (signal: AbortSignal) => Promise<void>,
  { attempts = Number.POSITIVE_INFINITY, waitMs, attemptMs }: Retry,
  signal: AbortSignal,
): Promise<void> {
  let pause = 20
  let last = 'no attempt was made in time'
  for (let n = 1; !signal.aborted; n++) {
    try {
      return await attempt(AbortSignal.any([signal, AbortSignal.timeout(attemptMs)]))
    } catch (error) {
      // A verdict on the process itself, not on this attempt.
      if (problemOf(error)?.kind === 'failed') throw error
      // What was cut short by the end of the time says less than the failure before it.
      if (!signal.aborted || n === 1) last = describeError(error)
      if (n >= attempts) break
    }
    await sleep(waitMs ?? pause, undefined, { signal }).catch(() => {})
    pause = Math.min(200, pause * 1.2)
  }
  throw new Error(last)
}
