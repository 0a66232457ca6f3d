import { type Domains, invalid, postDomainsUpdate } from '@kernel/contracts'
import { assertDomainsFree, effectiveDomains, globalDomains, urlsOf } from '../domain-names.ts'
import { normalizeDomain } from '../names.ts'
import type { RoutePublisher } from '../pipeline/routes.ts'
import { announce, callAfterwards, type Platform } from '../platform.ts'
import type { AppRecord } from '../store/records.ts'

export function createDomains(platform: Platform, routes: RoutePublisher): Domains {
  const { store } = platform

  /** Routes first, record afterwards: where another app has a host, nothing has changed. */
  async function change(name: string, decide: (current: string[]) => string[] | undefined): Promise<void> {
    const domains = await routes.exclusively(name, async () => {
      const before = store.app(name)
      const decided = decide(effectiveDomains(before, platform))
      const write = (next: string[] | undefined) =>
        store.changeApp(name, (app) => {
          if (next === undefined) delete app.domains
          else app.domains = next
        })
      const wanted = effectiveDomains({ name, ...(decided && { domains: decided }) }, platform)
      assertDomainsFree(name, wanted, platform)
      write(decided)
      await routes.restore(name).catch(async (error) => {
        write(before.domains)
        await routes.restore(name)
        throw error
      })
      return wanted
    })
    await tell(name, domains)
  }

  async function tell(app: string, domains: string[]): Promise<void> {
    announce(platform, 'app', 'domains', app, { domains: domains.join(',') })
    const call = () => platform.call(postDomainsUpdate, { app, domains })
    await callAfterwards(platform, call, `The domains of ${app} are changed`)
  }

  const normalized = (domains: string[]) => [...new Set(domains.map(normalizeDomain))]
  const usesGlobal = ({ domains, destroying }: AppRecord) => domains === undefined && !destroying

  return {
    async list(name) {
      const domains = effectiveDomains(store.app(name), platform)
      return { domains, urls: await urlsOf(name, domains, platform) }
    },
    async add(name, domains) {
      const more = normalized(domains)
      await change(name, (current) => [...new Set([...current, ...more])])
    },
    async remove(name, domains) {
      const gone = normalized(domains)
      await change(name, (current) => {
        const unknown = gone.find((domain) => !current.includes(domain))
        if (unknown !== undefined)
          throw invalid(`${name} has no domain ${unknown}`, {
            hint: `It has: ${current.join(', ') || 'none'}`,
          })
        return current.filter((domain) => !gone.includes(domain))
      })
    },
    async set(name, domains) {
      const next = normalized(domains)
      await change(name, () => (next.length === 0 ? undefined : next))
    },
    async reset(name) {
      await change(name, () => undefined)
    },
    async global() {
      return globalDomains(platform)
    },
    async setGlobal(domains) {
      const next = normalized(domains)
      if (next.some((domain) => domain.startsWith('*')))
        throw invalid('A global domain can not be a wildcard', {
          hint: 'Apps get a name below it: give the domain alone.',
        })
      const { domains: _, ...before } = store.global()
      const after = { ...before, ...(next.length > 0 && { domains: next }) }
      const previous = store.global()
      store.transaction(() => {
        store.putGlobal(after)
        // Rolled back where a new default domain is an app's own already.
        for (const app of store.listApps().filter(usesGlobal))
          assertDomainsFree(app.name, effectiveDomains(app, platform), platform)
      })
      const affected = store.listApps().filter(usesGlobal)
      try {
        for (const { name } of affected) await routes.refresh(name)
      } catch (error) {
        store.putGlobal(previous)
        for (const { name } of affected) await routes.refresh(name)
        throw error
      }
      for (const app of affected) await tell(app.name, effectiveDomains(app, platform))
    },
  }
}
