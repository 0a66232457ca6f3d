import type { SitePolicy, SiteReport } from '@kernel/contracts'
import type { SiteRecord } from '../store/records.ts'

/** What the policy of an app depends on beside its settings. */
export interface SiteFacts {
  /** Where visitors find https; undefined: nowhere. */
  httpsPort: number | undefined
  /** Whether there are certificates for all of its domains. */
  covered: boolean
}

/** An app's settings as the edge takes them: what is off is left out. */
export function policyOf(site: SiteRecord, facts: SiteFacts): SitePolicy {
  const { maintenance, hsts, redirects, auth, rateLimit, compress, maxBodyBytes, pages } = site
  return {
    ...(maintenance && { maintenance }),
    ...(redirectsToHttps(site, facts) && { httpsRedirect: { port: facts.httpsPort! } }),
    ...(hsts !== undefined && { hsts }),
    ...(redirects.length > 0 && { redirects }),
    ...(auth.enabled && { basicAuth: { realm: site.app, users: auth.users } }),
    ...(rateLimit && { rateLimit }),
    ...(compress && compress.length > 0 && { compress }),
    ...(maxBodyBytes !== undefined && { maxBodyBytes }),
    ...(Object.keys(pages).length > 0 && { pages }),
  }
}

/** By itself only where no visitor is led to a certificate that is another's. */
function redirectsToHttps({ httpsRedirect }: SiteRecord, { httpsPort, covered }: SiteFacts): boolean {
  if (httpsPort === undefined || httpsRedirect === 'off') return false
  return httpsRedirect === 'on' || covered
}

export function reportOf(site: SiteRecord, facts: SiteFacts): SiteReport {
  const { app, maintenance, hsts, redirects, auth, rateLimit, compress = [], maxBodyBytes, pages } = site
  return {
    app,
    maintenance,
    httpsRedirect: { setting: site.httpsRedirect ?? 'auto', active: redirectsToHttps(site, facts) },
    ...(hsts !== undefined && { hsts }),
    redirects,
    auth: { enabled: auth.enabled, users: Object.keys(auth.users).sort() },
    ...(rateLimit && { rateLimit }),
    compress,
    ...(maxBodyBytes !== undefined && { maxBodyBytes }),
    pages: Object.keys(pages) as SiteReport['pages'],
  }
}
