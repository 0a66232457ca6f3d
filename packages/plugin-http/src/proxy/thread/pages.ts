/** The edge's own answers: short, self-contained, and silent about what is inside. @module */
import type { EdgePage } from '@kernel/contracts'
import type { OwnPages } from '../messages.ts'

/** Why the edge itself answers. */
export type Reason =
  | 'bad-request'
  | 'visitor-slow'
  | 'body-too-large'
  | 'too-large'
  | 'expectation'
  | 'coding'
  | 'unknown'
  | 'down'
  | 'held'
  | 'maintenance'
  | 'limited'
  | 'unauthorized'
  | 'full'
  | 'closing'
  | 'unreachable'
  | 'slow'

interface Page {
  status: number
  reason: string
  title: string
  text: string
  /** Seconds after which it may be worth another try. */
  retryAfter?: number
}

const page = (status: number, reason: string, title: string, text: string, retryAfter?: number): Page => ({
  status,
  reason,
  title,
  text,
  ...(retryAfter !== undefined && { retryAfter }),
})

const PAGES: Record<Reason, Page> = {
  'bad-request': page(400, 'Bad Request', 'Bad request', 'The request could not be understood.'),
  'visitor-slow': page(408, 'Request Timeout', 'Request timeout', 'The request took too long to arrive.'),
  'body-too-large': page(413, 'Content Too Large', 'Too large', 'The request is larger than this app takes.'),
  unauthorized: page(401, 'Unauthorized', 'Sign in', 'This app wants to know who you are.'),
  limited: page(429, 'Too Many Requests', 'Too many requests', 'You ask too often. Please wait a moment.'),
  expectation: page(
    417,
    'Expectation Failed',
    'Expectation failed',
    'The request expects what is unknown here.',
  ),
  'too-large': page(
    431,
    'Request Header Fields Too Large',
    'Too many headers',
    'The request has too many headers.',
  ),
  coding: page(501, 'Not Implemented', 'Not implemented', 'The request has an unsupported transfer coding.'),
  unknown: page(404, 'Not Found', 'Not found', 'There is no app at this address.'),
  down: page(503, 'Service Unavailable', 'Not running', 'The app at this address is not running.'),
  held: page(
    503,
    'Service Unavailable',
    'Not ready yet',
    'The app at this address is still starting. Please try again in a moment.',
    5,
  ),
  maintenance: page(
    503,
    'Service Unavailable',
    'Maintenance',
    'The app at this address is being worked on. Please try again later.',
    60,
  ),
  full: page(503, 'Service Unavailable', 'Busy', 'Too many requests are waiting. Please try again.', 5),
  closing: page(503, 'Service Unavailable', 'Restarting', 'The server is restarting. Please try again.', 5),
  unreachable: page(502, 'Bad Gateway', 'Bad gateway', 'The app at this address could not answer.'),
  slow: page(504, 'Gateway Timeout', 'Gateway timeout', 'The app at this address took too long to answer.'),
}

/** Which page of one's own takes the place of the edge's. */
const OWN: Partial<Record<Reason, EdgePage>> = {
  unknown: '404',
  unreachable: '502',
  down: '503',
  held: '503',
  full: '503',
  closing: '503',
  slow: '504',
  maintenance: 'maintenance',
}

/** The pages of a thread. */
export class Pages {
  #defaults: OwnPages = {}
  #apps: ReadonlyMap<string, OwnPages> = new Map()

  /** @param apps pages by app */
  set(defaults: OwnPages, apps: ReadonlyMap<string, OwnPages>): void {
    this.#defaults = defaults
    this.#apps = apps
  }

  /**
   * A page: HTML for who reads HTML, else plain text.
   * @param accept the visitor's Accept @param app whose page it is; empty for none
   */
  page(
    reason: Reason,
    accept: string,
    requestId: string,
    app: string,
  ): { status: number; reason: string; fields: string; body: Buffer } {
    const found = PAGES[reason]
    const html = accept.includes('text/html')
    const name = OWN[reason]
    const custom =
      html && name !== undefined ? (this.#apps.get(app)?.[name] ?? this.#defaults[name]) : undefined
    const text = html ? (custom ?? htmlOf(found, requestId)) : `${found.text}\nRequest ${requestId}\n`
    let fields =
      `Content-Type: text/${html ? 'html' : 'plain'}; charset=utf-8\r\n` +
      `Cache-Control: no-store\r\nX-Request-Id: ${requestId}\r\n`
    if (found.retryAfter !== undefined) fields += `Retry-After: ${found.retryAfter}\r\n`
    return { status: found.status, reason: found.reason, fields, body: Buffer.from(text) }
  }
}

// The request id is the only text from outside, and no character of it is one that HTML would heed.
function htmlOf({ status, title, text }: Page, requestId: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>${status} ${title}</title>
<style>
  :root { color-scheme: light dark }
  body { font: 1rem/1.5 system-ui, sans-serif; display: grid; place-content: center; min-height: 90vh; margin: 1rem }
  h1 { font-size: 1.5rem; margin: 0 }
  small { opacity: .6 }
</style>
<h1>${title}</h1>
<p>${text}</p>
<small>${status} &middot; request ${requestId}</small>
</html>
`
}
