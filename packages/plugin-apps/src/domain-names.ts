/** Which domains an app answers at, and who has which. @module */
import { conflict } from '@kernel/contracts'
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

/** One URL a domain, by https where the edge has it; a wildcard is no address, so it has none. */
export async function urlsOf(domains: string[], { router }: Pick<Platform, 'router'>): Promise<string[]> {
  const listeners = await router.listeners()
  const listener = listeners.find(({ protocol }) => protocol === 'https') ?? listeners[0]
  if (listener === undefined) return []
  const { protocol, port } = listener
  const usual = (protocol === 'http' && port === 80) || (protocol === 'https' && port === 443)
  return domains
    .filter((domain) => !domain.startsWith('*.'))
    .map((domain) => `${protocol}://${domain}${usual ? '' : `:${port}`}`)
}
