/** Answers to ACME servers that ask over plain HTTP (RFC 8555 8.3). @module */
import type { AcmeChallenge } from '@kernel/contracts'

const prefix = '/.well-known/acme-challenge/'

export class AcmeChallenges {
  readonly #answers = new Map<string, string>()

  /** Takes those of HTTP-01; the others are a matter of TLS. */
  constructor(challenges: readonly AcmeChallenge[]) {
    for (const challenge of challenges)
      if (challenge.type === 'http-01')
        this.#answers.set(`${challenge.host.toLowerCase()}\n${challenge.token}`, challenge.keyAuthorization)
  }

  get size(): number {
    return this.#answers.size
  }

  /**
   * The key authorization, to be sent as `application/octet-stream`; undefined where the request is not for us and
   * goes on to the app, which may have an ACME client of its own.
   * @param host as routes have it: lower case, without port
   * @param target of the request line
   */
  find(host: string, target: string): string | undefined {
    if (this.#answers.size === 0 || !target.startsWith(prefix)) return undefined
    return this.#answers.get(`${host}\n${target.slice(prefix.length)}`)
  }
}
