/** The edge's own answers: short, self-contained, and silent about what is inside. @module */
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Why the edge itself answers. */
export type Reason =
  | 'bad-request'
  | 'visitor-slow'
  | 'too-large'
  | 'coding'
  | 'unknown'
  | 'down'
  | 'held'
  | 'full'
  | 'closing'
  | 'unreachable'
  | 'slow'

interface Page {
  status: number
  title: string
  text: string
  /** Seconds after which it may be worth another try. */
  retryAfter?: number
}

const PAGES: Record<Reason, Page> = {
  'bad-request': { status: 400, title: 'Bad request', text: 'The request could not be understood.' },
  'visitor-slow': { status: 408, title: 'Request timeout', text: 'The request took too long to arrive.' },
  'too-large': { status: 431, title: 'Too many headers', text: 'The request has too many headers.' },
  coding: { status: 501, title: 'Not implemented', text: 'The request has an unsupported transfer coding.' },
  unknown: { status: 404, title: 'Not found', text: 'There is no app at this address.' },
  down: { status: 503, title: 'Not running', text: 'The app at this address is not running.' },
  held: {
    status: 503,
    title: 'Not ready yet',
    text: 'The app at this address is still starting. Please try again in a moment.',
    retryAfter: 5,
  },
  full: {
    status: 503,
    title: 'Busy',
    text: 'Too many requests are waiting. Please try again.',
    retryAfter: 5,
  },
  closing: {
    status: 503,
    title: 'Restarting',
    text: 'The server is restarting. Please try again.',
    retryAfter: 5,
  },
  unreachable: { status: 502, title: 'Bad gateway', text: 'The app at this address could not answer.' },
  slow: { status: 504, title: 'Gateway timeout', text: 'The app at this address took too long to answer.' },
}

/** Answers with a page: HTML for who reads HTML, else plain text. The answer must not have begun. */
export function sendPage(req: IncomingMessage, res: ServerResponse, reason: Reason, requestId: string): void {
  const page = PAGES[reason]
  const html = req.headers.accept?.includes('text/html') === true
  const body = Buffer.from(html ? htmlOf(page, requestId) : `${page.text}\nRequest ${requestId}\n`)
  const headers: Record<string, string | number> = {
    'Content-Type': `text/${html ? 'html' : 'plain'}; charset=utf-8`,
    'Content-Length': body.length,
    'Cache-Control': 'no-store',
    'X-Request-Id': requestId,
  }
  if (page.retryAfter !== undefined) headers['Retry-After'] = page.retryAfter
  res.writeHead(page.status, headers)
  res.end(body)
}

// The request id is the only text from outside, and readRequestHead allows no character that HTML would heed.
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
