/** Which domains an app answers at, and who has which. @module */
import { conflict, domainScheme } from '@kernel/contracts'
import { normalizeDomain } from './names.ts'
import type { Platform } from './platform.ts'
import type { AppRecord } from './store/records.ts'

type Known = Pick<Platform, 'store' | 'settings'>

export function globalDomains({ store, settings }: Known): string[] {
  return store.global().domains ?? settings.domains.map(normalizeDomain)
}

/** The app's own domains; where it has none of its own, `name.GLOBAL`. */
export function effectiveDomains(app: Pick<AppRecord, 'name' | 'domains'>, known: Known): string[] {
  return app.domains ?? globalDomains(known).map((domain) => `${app.name}.${domain}`)
}

/** @throws conflict where another app has one of the domains */
export function assertDomainsFree(
  name: string,
  domains: string[],
  known: Known,
  except: string[] = [],
): void {
  for (const other of known.store.listApps()) {
    if (other.name === name || except.includes(other.name)) continue
    const taken = effectiveDomains(other, known).find((domain) => domains.includes(domain))
    if (taken !== undefined)
      throw conflict(`The domain ${taken} belongs to the app ${other.name}`, {
        hint: `Take it away there first: domains:remove ${other.name} ${taken}`,
      })
  }
}

/**
 * One URL a domain; a wildcard is no address, so it has none. By https where somebody has a certificate for it, or
 * nothing else listens.
 */
export async function urlsOf(
  app: string,
  domains: string[],
  { router, call }: Pick<Platform, 'router' | 'call'>,
): Promise<string[]> {
  const listeners = await router.listeners()
  const urls: string[] = []
  for (const domain of domains.filter((one) => !one.startsWith('*.'))) {
    const scheme = (await call(domainScheme, { app, domain }))?.value ?? 'http'
    const listener = listeners.find(({ protocol }) => protocol === scheme) ?? listeners[0]
    if (listener === undefined) continue
    const { protocol, port } = listener
    const usual = (protocol === 'http' && port === 80) || (protocol === 'https' && port === 443)
    urls.push(`${protocol}://${domain}${usual ? '' : `:${port}`}`)
  }
  return urls
}
