/** The edge's routes: which host and path lead to which targets. @module */
import { defineService } from '@kernel/kernel'

export interface Target {
  /** Unique; a workload's id. */
  id: string
  host: string
  port: number
}

export interface Route {
  /** `a.example.com`, `*.example.com`, or empty for the default. Lower case. */
  host: string
  /** Prefix: empty for all, or `/api`. */
  path: string
  /**
   * `up`: to the targets. `hold`: requests wait for the next publish, at most the hold timeout (then 503).
   * `down`: 503 at once (stopped or scaled to zero).
   */
  state: 'up' | 'hold' | 'down'
  targets: Target[]
}

/** Whose look an app may change. */
export type EdgePage = '404' | '502' | '503' | '504' | 'maintenance'

/** From a host and a path prefix, or either, to a URL. */
export interface SiteRedirect {
  /** `www.example.com` or `*.example.com`, lower case; absent: every host of the app. */
  host?: string
  /** On the border of a segment: `/old` fits `/old` and `/old/x`, not `/older`; absent: every path. */
  path?: string
  /** An absolute URL, or a path on the same host. */
  to: string
  status: 301 | 302 | 307 | 308
  /** The rest of the path and the query go along. */
  keepPath?: boolean
}

/** What the edge does for an app's visitors beside forwarding. Clone-safe; what is absent is off. */
export interface SitePolicy {
  /** Visitors get a page, and reach no process. */
  maintenance?: boolean
  /** Plain HTTP is answered with a redirect to https on this port. */
  httpsRedirect?: { port: number }
  /** The value of Strict-Transport-Security, sent over TLS only. */
  hsts?: string
  /** The first that fits. */
  redirects?: SiteRedirect[]
  /**
   * Name -> `scrypt$N$r$p$saltBase64$hashBase64`: scrypt (RFC 7914) over the password in UTF-8; N, r and p in
   * decimal, N a power of two; base64 with padding. The hash is as long as it is; 32 bytes are usual.
   */
  basicAuth?: { realm: string; users: Record<string, string> }
  /** For each address of a visitor (IPv6: each /64). */
  rateLimit?: { perSecond: number; burst: number }
  /** Codings that the edge may apply where the app applied none, the best first. */
  compress?: Array<'zstd' | 'br' | 'gzip'>
  maxBodyBytes?: number
  /** HTML by page; 64 KiB each at most. */
  pages?: Partial<Record<EdgePage, string>>
}

export interface EdgeCertificate {
  /** `a.example.com`, `*.example.com`. */
  hosts: string[]
  /** PEM, the leaf first. */
  certificate: string
  /** PEM. */
  key: string
}

/** What an ACME server asks to see before it issues a certificate. RFC 8555 8.3, RFC 8737. */
export type AcmeChallenge =
  | { type: 'http-01'; host: string; token: string; keyAuthorization: string }
  | { type: 'tls-alpn-01'; host: string; certificate: string; key: string }

export interface Router {
  /**
   * Replaces all routes of an app in one atomic step that every listener thread sees at once.
   * @throws conflict where another app owns a host and path
   */
  publish(app: string, routes: Route[]): Promise<{ generation: number }>
  /** Takes all the app's routes away. */
  withdraw(app: string): Promise<void>
  list(): Promise<Array<Route & { app: string }>>
  /** Resolves when no request is in flight to the targets, or after the time; long-lived upgrades count. */
  drain(targetIds: string[], timeoutSec: number): Promise<{ open: number }>
  /**
   * Ends what a drain has left of upgraded connections to these targets: a WebSocket gets a close frame (1012, the
   * service restarts), others are cut. Resolves when they are gone.
   */
  cut(targetIds: string[]): Promise<void>
  /**
   * Replaces what the edge does for an app's visitors, in one atomic step; `{}` takes all away. The caller keeps it:
   * the edge forgets it when it ends.
   */
  setPolicy(app: string, policy: SitePolicy): Promise<void>
  /** Pages for requests that no app answers, and for apps without their own. */
  setDefaultPages(pages: Partial<Record<EdgePage, string>>): Promise<void>
  /** Replaces all certificates; open connections keep theirs. Later ones win where hosts overlap. @throws invalid */
  setCertificates(certificates: EdgeCertificate[]): Promise<void>
  /** Replaces all pending ACME challenges. Resolves when every thread answers them. */
  setChallenges(challenges: AcmeChallenge[]): Promise<void>
  /** The addresses the edge listens on, for URLs. */
  listeners(): Promise<Array<{ protocol: 'http' | 'https'; host: string; port: number }>>
  /** Until this is called, visitors' requests are held: the first routes are being published. */
  ready(): Promise<void>
}
export const Router = defineService<Router>('router')
