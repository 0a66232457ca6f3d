/** What an app's owner has put between its visitors and the app. @module */
import type { SitePolicy } from '@kernel/contracts'
import type { RequestHead } from '../http1/request-head.ts'
import { BasicAuth } from '../policy/basic-auth.ts'
import { clientAddress } from '../policy/client-address.ts'
import type { RateLimits } from '../policy/rate-limit.ts'
import { findRedirect } from '../policy/redirects.ts'
import type { Reason } from './pages.ts'
import { isSecure, type Peer } from './peer.ts'

/** A page with its reason, or a redirect; undefined lets the visitor pass. */
export type Verdict = { reason: Reason; fields: string } | { location: string; status: number } | undefined

export class Guard {
  readonly policy: SitePolicy
  readonly #app: string
  readonly #limits: RateLimits
  readonly #isProxy: (address: string) => boolean
  readonly #auth: BasicAuth | undefined

  constructor(
    app: string,
    policy: SitePolicy,
    limits: RateLimits,
    isProxy: (address: string) => boolean,
    auth: BasicAuth | undefined,
  ) {
    this.#app = app
    this.policy = policy
    this.#limits = limits
    this.#isProxy = isProxy
    this.#auth = auth
  }

  /** In the order in which an answer is cheap and tells nothing: who may not come in learns nothing of what is behind. */
  check(head: RequestHead, peer: Peer): Verdict | Promise<Verdict> {
    const { policy } = this
    if (policy.httpsRedirect !== undefined && !isSecure(peer, head)) {
      const { port } = policy.httpsRedirect
      const host = head.host.toLowerCase() + (port === 443 ? '' : `:${port}`)
      const safe = head.method === 'GET' || head.method === 'HEAD'
      if (head.host !== '') return { location: `https://${host}${head.path}`, status: safe ? 301 : 308 }
    }
    if (policy.redirects !== undefined) {
      const redirect = findRedirect(policy.redirects, head.host.toLowerCase().replace(/\.$/, ''), head.path)
      if (redirect !== undefined) return redirect
    }
    if (policy.maintenance) return { reason: 'maintenance', fields: '' }
    if (policy.rateLimit !== undefined) {
      const client = clientAddress(peer.address, peer.trusted ? head.claims?.for : undefined, this.#isProxy)
      const wait = this.#limits.take(this.#app, client, policy.rateLimit, Date.now())
      if (wait > 0) return { reason: 'limited', fields: `Retry-After: ${Math.ceil(wait)}\r\n` }
    }
    if (policy.maxBodyBytes !== undefined && head.length > policy.maxBodyBytes)
      return { reason: 'body-too-large', fields: '' }
    return this.#auth === undefined ? undefined : this.#authenticate(this.#auth, head)
  }

  #authenticate(auth: BasicAuth, head: RequestHead): Verdict | Promise<Verdict> {
    const refusal: Verdict = { reason: 'unauthorized', fields: `WWW-Authenticate: ${auth.challenge}\r\n` }
    const checked = auth.check(head.authorization)
    if (typeof checked === 'boolean') return checked ? undefined : refusal
    return checked.then((good) => (good ? undefined : refusal))
  }
}

/** The guards of a thread. They outlive publications, since what a guard has verified costs much to verify again. */
export class Guards {
  readonly #limits: RateLimits
  readonly #isProxy: (address: string) => boolean
  readonly #auths = new Map<string, { of: string; auth: BasicAuth }>()

  /** @param isProxy whether an address is a trusted proxy's, whose visitors are counted one by one */
  constructor(limits: RateLimits, isProxy: (address: string) => boolean) {
    this.#limits = limits
    this.#isProxy = isProxy
  }

  guard(app: string, policy: SitePolicy): Guard {
    return new Guard(app, policy, this.#limits, this.#isProxy, this.#authOf(app, policy))
  }

  #authOf(app: string, { basicAuth }: SitePolicy): BasicAuth | undefined {
    if (basicAuth === undefined) {
      this.#auths.delete(app)
      return undefined
    }
    const of = JSON.stringify(basicAuth)
    const known = this.#auths.get(app)
    if (known?.of === of) return known.auth
    const auth = new BasicAuth(basicAuth)
    this.#auths.set(app, { of, auth })
    return auth
  }
}
