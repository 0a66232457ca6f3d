import { conflict, type EdgePage, invalid, notFound, type Sites } from '@kernel/contracts'
import { KeyedMutex } from '@kernel/state'
import { announce, checkApp, everyApp, type Platform } from '../platform.ts'
import {
  checkHtml,
  checkPageName,
  checkRedirect,
  parseCodings,
  parseFrom,
  parseHsts,
  parseHttpsRedirect,
  parseRateLimit,
  parseSize,
} from '../policy/parse-values.ts'
import { checkPassword, checkUser, hashPassword } from '../policy/passwords.ts'
import { reportOf } from '../policy/policy-of.ts'
import type { Publisher } from '../publisher.ts'
import type { SiteRecord } from '../store/records.ts'

type Change = (site: SiteRecord) => void

/** What may be set by key; `value` is never empty. */
const setters: Record<string, { clear: Change; set(site: SiteRecord, value: string): void }> = {
  'rate-limit': {
    clear: (site) => delete site.rateLimit,
    set: (site, value) => Object.assign(site, { rateLimit: parseRateLimit(value) }),
  },
  compress: {
    clear: (site) => delete site.compress,
    set: (site, value) => Object.assign(site, { compress: parseCodings(value) }),
  },
  'max-body': {
    clear: (site) => delete site.maxBodyBytes,
    set: (site, value) => Object.assign(site, { maxBodyBytes: parseSize(value) }),
  },
  hsts: {
    clear: (site) => delete site.hsts,
    set: (site, value) => Object.assign(site, { hsts: parseHsts(value) }),
  },
  'https-redirect': {
    clear: (site) => delete site.httpsRedirect,
    set: (site, value) => Object.assign(site, { httpsRedirect: parseHttpsRedirect(value) }),
  },
}

export function createSites(platform: Platform, publisher: Publisher): Sites {
  const { store } = platform
  const turns = new KeyedMutex()

  /** On the disk first, then in force; where the edge refuses, it is as it was. */
  async function change(
    app: string,
    action: string,
    work: (site: SiteRecord) => void | Promise<void>,
  ): Promise<void> {
    await checkApp(platform, app)
    await turns.run(app, async () => {
      const before = store.site(app)
      const after = structuredClone(before)
      await work(after)
      store.putSite(after)
      try {
        await publisher.policy(app)
      } catch (error) {
        store.putSite(before)
        await publisher.policy(app).catch(() => {})
        throw error
      }
    })
    announce(platform, app, action)
  }

  async function changeGlobalPages(work: (pages: SiteRecord['pages']) => void): Promise<void> {
    await turns.run(everyApp, async () => {
      const before = store.global()
      const pages = { ...before.pages }
      work(pages)
      store.putGlobal({ ...before, pages })
      await publisher.defaultPages().catch(async (error) => {
        store.putGlobal(before)
        await publisher.defaultPages().catch(() => {})
        throw error
      })
    })
  }

  return {
    async report(app) {
      await checkApp(platform, app)
      return reportOf(store.site(app), await publisher.facts(app))
    },
    async set(app, key, value) {
      const setter = Object.hasOwn(setters, key) ? setters[key] : undefined
      if (setter === undefined)
        throw invalid(`The edge has no property ${JSON.stringify(key)}`, {
          hint: `There are: ${Object.keys(setters).join(', ')}`,
        })
      const text = value.trim()
      // To redirect to https can be forbidden; of all else `off` is what there is without.
      const clears = text === '' || (text === 'off' && key !== 'https-redirect')
      await change(app, 'edge', (site) => (clears ? setter.clear(site) : setter.set(site, text)))
    },
    setMaintenance: (app, on) =>
      change(app, on ? 'maintenance-on' : 'maintenance-off', (site) => {
        site.maintenance = on
      }),
    async pages(app) {
      if (app === everyApp) return store.global().pages
      await checkApp(platform, app)
      return store.site(app).pages
    },
    async setPage(app, name, html) {
      const page = checkPageName(name)
      const text = html === undefined ? undefined : checkHtml(html)
      const work = (pages: Partial<Record<EdgePage, string>>) => {
        if (text !== undefined) pages[page] = text
        else if (pages[page] === undefined)
          throw notFound(`${app === everyApp ? 'All apps together have' : `${app} has`} no page ${page} set`)
        else delete pages[page]
      }
      if (app === everyApp) await changeGlobalPages(work)
      else await change(app, 'edge', (site) => work(site.pages))
    },
    async setRedirect(app, redirect) {
      const sound = checkRedirect(redirect)
      await change(app, 'edge', ({ redirects }) => {
        const at = redirects.findIndex(({ host, path }) => host === sound.host && path === sound.path)
        if (at < 0) redirects.push(sound)
        else redirects[at] = sound
      })
    },
    async removeRedirect(app, from) {
      const { host, path } = parseFrom(from)
      await change(app, 'edge', (site) => {
        const left = site.redirects.filter((rule) => rule.host !== host || rule.path !== path)
        if (left.length === site.redirects.length)
          throw notFound(`${app} redirects nothing from ${from}`, {
            hint: `See them: redirect:report ${app}`,
          })
        site.redirects = left
      })
    },
    setAuth: (app, on) =>
      change(app, on ? 'auth-on' : 'auth-off', ({ auth }) => {
        if (on && Object.keys(auth.users).length === 0)
          throw conflict(`${app} has no user who could come in`, {
            hint: `Add one first: http-auth:add-user ${app} NAME`,
          })
        auth.enabled = on
      }),
    async setUser(app, user, password) {
      const [name, hash] = [checkUser(user), await hashPassword(checkPassword(password))]
      await change(app, 'edge', ({ auth }) => {
        auth.users[name] = hash
      })
    },
    removeUser: (app, user) =>
      change(app, 'edge', ({ auth }) => {
        if (!Object.hasOwn(auth.users, user))
          throw notFound(`${app} has no user ${user}`, { hint: `See them: http-auth:report ${app}` })
        if (auth.enabled && Object.keys(auth.users).length === 1)
          throw conflict(`${user} is the last who can come in`, {
            hint: `Let everybody in first: http-auth:disable ${app}`,
          })
        delete auth.users[user]
      }),
  }
}
