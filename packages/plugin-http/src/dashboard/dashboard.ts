import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'

/** The dashboard's files, read once: they are some hundred kilobytes and never change while we run. */
export interface Dashboard {
  /**
   * The answer where the request is for the dashboard: one of its files, or its page for whatever a browser
   * navigates to (the page finds its way by itself). Else undefined: Docker's API shares the paths.
   */
  find(request: Request): Promise<Response | undefined>
}

interface File {
  body: Uint8Array<ArrayBuffer>
  headers: Record<string, string>
  etag: string
}

const types: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
}

const security = {
  'Content-Security-Policy':
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
}

/** Reads a built dashboard; undefined where there is none. */
export async function loadDashboard(webRoot: string): Promise<Dashboard | undefined> {
  const entries = await readdir(webRoot, { recursive: true, withFileTypes: true }).catch(() => [])
  const files = new Map<string, File>()
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files.set(
      `/${relative(webRoot, path).split(sep).join('/')}`,
      describe(path, new Uint8Array(await readFile(path))),
    )
  }
  const index = files.get('/index.html')
  if (index === undefined) return undefined

  return {
    async find(request) {
      if (request.method !== 'GET' && request.method !== 'HEAD') return undefined
      const { pathname } = new URL(request.url)
      const file = files.get(pathname) ?? (pathname === '/' || isNavigation(request) ? index : undefined)
      return file && answer(file, request)
    },
  }
}

/** Only browsers that go to a page ask for HTML first; Docker's clients and scripts do not. */
function isNavigation({ headers }: Request): boolean {
  return headers.get('accept')?.startsWith('text/html') ?? false
}

function describe(path: string, body: Uint8Array<ArrayBuffer>): File {
  // The bundler puts a hash of the content into these names.
  const immutable = path.includes(`${sep}assets${sep}`)
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  const headers = {
    'Content-Type': types[extname(path)] ?? 'application/octet-stream',
    'Cache-Control': immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    ETag: etag,
    ...security,
  }
  return { body, headers, etag }
}

function answer({ body, headers, etag }: File, request: Request): Response {
  if (request.headers.get('if-none-match') === etag) return new Response(null, { status: 304, headers })
  return new Response(request.method === 'HEAD' ? null : body, {
    headers: { ...headers, 'Content-Length': String(body.byteLength) },
  })
}
