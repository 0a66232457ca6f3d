/** Which certificate is shown for which host. @module */
import { covers } from './read-certificate.ts'

export interface Bearer {
  app: string
  hosts: string[]
}

/**
 * An app's own domains get its own certificate, whoever else's has a wildcard for them; what is nobody's own goes to
 * the last that names it, that of `global` first of all.
 * @param domainsOf an app's domains
 * @returns host -> place in `bearers`
 */
export function assignHosts(
  bearers: readonly Bearer[],
  domainsOf: (app: string) => string[],
): Map<string, number> {
  const assigned = new Map<string, number>()
  const order = bearers.map((_, at) => at).sort((a, b) => rank(bearers[a]!) - rank(bearers[b]!))
  for (const at of order) for (const host of bearers[at]!.hosts) assigned.set(host, at)
  for (const at of order) {
    const { app, hosts } = bearers[at]!
    for (const domain of domainsOf(app)) if (covers(hosts, domain)) assigned.set(domain, at)
  }
  return assigned
}

const rank = ({ app }: Bearer) => (app === 'global' ? 0 : 1)
