/**
 * What stands at an app's front door: TLS, ACME, maintenance, pages, redirects, passwords and limits. All services
 * here are provided by plugin-sites, which keeps the settings and tells the Router. `global` as app name where a
 * method says so: for all apps.
 * @module
 */
import { defineHook, defineService } from '@kernel/kernel'
import type { OnLine } from './apps.ts'
import type { EdgePage, SitePolicy, SiteRedirect } from './routes.ts'

export type SiteCoding = NonNullable<SitePolicy['compress']>[number]

export interface SiteReport {
  app: string
  maintenance: boolean
  /** `auto`: where the edge has TLS, and certificates for all of the app's domains. */
  httpsRedirect: { setting: 'auto' | 'on' | 'off'; active: boolean }
  /** The header's value; absent: not sent. */
  hsts?: string
  redirects: SiteRedirect[]
  /** Names only. */
  auth: { enabled: boolean; users: string[] }
  rateLimit?: { perSecond: number; burst: number }
  compress: SiteCoding[]
  maxBodyBytes?: number
  /** Pages of its own. */
  pages: EdgePage[]
}

/** Each change is on the disk and in force at every listener before it resolves. @throws not-found, where there is no such app */
export interface Sites {
  report(app: string): Promise<SiteReport>
  /**
   * Keys: `rate-limit` (`50/s burst 100`, `600/m`), `compress` (`on`, `off`, `zstd,br,gzip`), `max-body` (`10m`),
   * `hsts` (`on`, `off`, a value), `https-redirect` (`auto`, `on`, `off`); empty value: the default.
   * @throws invalid
   */
  set(app: string, key: string, value: string): Promise<void>
  setMaintenance(app: string, on: boolean): Promise<void>
  /** HTML by page; also of `global`. */
  pages(app: string): Promise<Partial<Record<EdgePage, string>>>
  /** Also for `global`. No HTML takes it away. @throws invalid, not-found where it is not there */
  setPage(app: string, page: string, html?: string): Promise<void>
  /** Adds it, or replaces the one from the same host and path. @throws invalid */
  setRedirect(app: string, redirect: SiteRedirect): Promise<void>
  /** @param from `host`, `/path` or `host/path` */
  removeRedirect(app: string, from: string): Promise<void>
  /** @throws conflict where no user is there who could come in */
  setAuth(app: string, on: boolean): Promise<void>
  /** A new user, or a new password. Only a hash is kept. */
  setUser(app: string, user: string, password: string): Promise<void>
  /** @throws conflict for the last one while passwords are asked for */
  removeUser(app: string, user: string): Promise<void>
}
export const Sites = defineService<Sites>('sites')

export interface CertificateReport {
  app: string
  source: 'upload' | 'self-signed' | 'acme'
  /** Names it is made for. */
  hosts: string[]
  /** The app's domains that it does not cover. */
  uncovered: string[]
  subject: string
  issuer: string
  serial: string
  /** SHA-256, hex pairs with colons. */
  fingerprint: string
  /** RFC 3339. */
  notBefore: string
  notAfter: string
  expired: boolean
  /** PEM: the certificate, then its chain. The key never leaves the daemon. */
  certificate: string
}

/** One certificate an app; that of `global` stands in for apps without. */
export interface Certificates {
  list(): Promise<CertificateReport[]>
  /** @throws not-found */
  report(app: string): Promise<CertificateReport>
  /**
   * New connections get it once this resolves; open ones keep theirs. An expired one is taken, and reported as such.
   * @throws invalid where it is no PEM, has no names, or the key is another's; nothing has changed then
   */
  set(app: string, certificate: string, key: string): Promise<CertificateReport>
  /** @throws not-found */
  remove(app: string): Promise<void>
  /** Makes a key and a self-signed certificate. @param domains none: the app's own */
  generate(app: string, domains: string[]): Promise<CertificateReport>
}
export const Certificates = defineService<Certificates>('certificates')

export interface AcmeReport {
  app: string
  enabled: boolean
  /** What is in force: the app's own, else the global ones. */
  email?: string
  /** `production` and `staging` are Let's Encrypt's; else a directory's URL. */
  server: string
  challenge: 'http-01' | 'tls-alpn-01'
  /** Names of the certificate it has. */
  hosts: string[]
  /** RFC 3339. */
  notAfter?: string
  renewAfter?: string
  /** How the last attempt failed; absent where it worked. */
  error?: string
  failures: number
  /** When it is tried again. */
  nextAttempt?: string
}

/** Certificates by ACME (RFC 8555), renewed when a third of their lifetime is left. */
export interface Acme {
  list(): Promise<AcmeReport[]>
  /** Gets a certificate for the app's domains now, and keeps it renewed. @throws failed, with the server's reason; it stays as it was then */
  enable(app: string, onLine?: OnLine): Promise<AcmeReport>
  /** No more renewals; the certificate stays. */
  disable(app: string): Promise<void>
  /** Also for `global`. Keys: `email`, `server`, `challenge`; empty value clears. @throws invalid */
  set(app: string, key: string, value: string): Promise<void>
  /** Renews what is due, of one app or of all. @throws failed, after all were tried */
  renew(app?: string, onLine?: OnLine): Promise<AcmeReport[]>
  /** Revokes the app's certificate, removes it, and disables renewals. */
  revoke(app: string): Promise<void>
}
export const Acme = defineService<Acme>('acme')

/** May change what the edge does for an app, each time before it is told. Must be quick, and the same each time. */
export const sitePolicy = defineHook.waterfall<SitePolicy, { app: string }>('site-policy')
/** Bail: `https` where the edge has a certificate for the domain; URLs are shown by it. */
export const domainScheme = defineHook.bail<{ app: string; domain: string }, 'https'>('domain-scheme')
