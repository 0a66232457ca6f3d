/** Visitors of apps: one request, or one after the other without a pause. @module */
import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { request as requestSecure, Agent as SecureAgent } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Page {
  status: number
  body: string
  headers: IncomingHttpHeaders
}

export interface VisitOptions {
  headers?: Record<string, string>
  agent?: Agent
  method?: string
  body?: string
  /** Certificates that are trusted, in PEM; for https. */
  ca?: string | string[]
}

/** Asks for a URL as a browser would, without DNS: every host is this machine. */
export function fetchPage(
  url: string,
  { headers = {}, agent, method = 'GET', body: sent, ca }: VisitOptions = {},
): Promise<Page> {
  const { protocol, host, hostname, port, pathname, search } = new URL(url)
  const secure = protocol === 'https:'
  return new Promise((resolve, reject) => {
    const ask = (secure ? requestSecure : request)(
      {
        host: '127.0.0.1',
        port: port || (secure ? 443 : 80),
        ...(secure && { servername: hostname, ca }),
        method,
        path: pathname + search,
        headers: { host, ...headers },
        timeout: 20_000,
        agent: agent ?? false,
      },
      (answer) => {
        let body = ''
        answer.setEncoding('utf8').on('data', (piece: string) => {
          body += piece
        })
        answer.once('error', reject)
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body, headers: answer.headers }))
      },
    )
    ask.once('timeout', () => ask.destroy(new Error(`no answer from ${url} within 20 s`)))
    ask.once('error', reject)
    ask.end(sent)
  })
}

/** What the visitors of an app saw, run by run: how often each answer came in a row. */
export interface Seen {
  requests: number
  /** `200 old`, in the order in which they came; an answer that comes again later is there twice. */
  answers: string[]
  /** Errors of connections, with the moment. */
  failures: string[]
}

/**
 * Visits `url` over and over, once with a connection that stays and once with a new one each time, while `work`
 * is done. Each visitor's answers are in order, so that content that came back shows.
 */
export async function visitDuring<T>(
  url: string,
  work: () => Promise<T>,
  given: Pick<VisitOptions, 'ca' | 'headers'> = {},
): Promise<{ result: T; seen: Seen[] }> {
  const agent = new (url.startsWith('https:') ? SecureAgent : Agent)({ keepAlive: true, maxSockets: 1 })
  let over = false
  async function visit(options: VisitOptions): Promise<Seen> {
    const seen: Seen = { requests: 0, answers: [], failures: [] }
    const begun = Date.now()
    // One more after the work is done: it must see what the work has led to.
    for (let last = false; !last; ) {
      last = over
      seen.requests++
      try {
        const { status, body } = await fetchPage(url, options)
        const answer = `${status} ${body.trim()}`
        if (seen.answers.at(-1) !== answer) seen.answers.push(answer)
      } catch (error) {
        seen.failures.push(`${Date.now() - begun} ms: ${(error as Error).message}`)
      }
      await sleep(5)
    }
    return seen
  }
  const visitors = [visit({ ...given, agent }), visit(given)]
  try {
    const result = await work()
    over = true
    return { result, seen: await Promise.all(visitors) }
  } finally {
    over = true
    await Promise.all(visitors)
    agent.destroy()
  }
}
