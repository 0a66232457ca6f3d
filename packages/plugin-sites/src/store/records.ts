/** What is kept of each app. Keys and passwords are not in here: of passwords a hash, of keys the name of a file. @module */
import type { AcmeReport, CertificateReport, EdgePage, SiteCoding, SiteRedirect } from '@kernel/contracts'

export type Pages = Partial<Record<EdgePage, string>>

/** What an owner has set; absent: the default. */
export interface SiteRecord {
  app: string
  maintenance: boolean
  httpsRedirect?: 'on' | 'off'
  hsts?: string
  redirects: SiteRedirect[]
  auth: { enabled: boolean; users: Record<string, string> }
  rateLimit?: { perSecond: number; burst: number }
  compress?: SiteCoding[]
  maxBodyBytes?: number
  pages: Pages
}

export const newSite = (app: string): SiteRecord => ({
  app,
  maintenance: false,
  redirects: [],
  auth: { enabled: false, users: {} },
  pages: {},
})

export interface CertificateRecord {
  app: string
  source: CertificateReport['source']
  /** PEM, the certificate first. */
  certificate: string
  /** Name in the folder of keys. */
  keyFile: string
}

/** What may be set for one app or for all. */
export interface AcmeSettings {
  email?: string
  server?: string
  challenge?: AcmeReport['challenge']
}

export interface AcmeRecord extends AcmeSettings {
  app: string
  enabled: boolean
  failures: number
  error?: string
  /** RFC 3339. */
  nextAttempt?: string
  /** Directory that the certificate in use came from: it alone can revoke it. */
  issuedBy?: string
}

export const newAcme = (app: string): AcmeRecord => ({ app, enabled: false, failures: 0 })

/** An account at an ACME server, by the URL of its directory. */
export interface AccountRecord {
  directory: string
  keyFile: string
}

export interface GlobalRecord {
  pages: Pages
  acme: AcmeSettings
}
