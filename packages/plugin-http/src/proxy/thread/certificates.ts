/** Which certificate a visitor is shown. @module */
import { createSecureContext, type SecureContext } from 'node:tls'
import type { AcmeChallenge, EdgeCertificate } from '@kernel/contracts'

/** RFC 8737. */
export const ACME_TLS = 'acme-tls/1'

export class Certificates {
  #exact = new Map<string, SecureContext>()
  /** By what follows the asterisk: `.example.com`. */
  #wildcards = new Map<string, SecureContext>()
  #first: SecureContext | undefined
  #tlsChallenges = new Map<string, SecureContext>()
  #httpChallenges = new Map<string, string>()

  /** Replaces all; open connections keep theirs. @throws where one can't be used: then all stay as they were */
  set(certificates: readonly EdgeCertificate[]): void {
    const exact = new Map<string, SecureContext>()
    const wildcards = new Map<string, SecureContext>()
    let first: SecureContext | undefined
    for (const { hosts, certificate, key } of certificates) {
      const context = createSecureContext({ cert: certificate, key, minVersion: 'TLSv1.2' })
      first ??= context
      for (const host of hosts) {
        const name = host.toLowerCase()
        if (name.startsWith('*.')) wildcards.set(name.slice(1), context)
        else exact.set(name, context)
      }
    }
    this.#exact = exact
    this.#wildcards = wildcards
    this.#first = first
  }

  setChallenges(challenges: readonly AcmeChallenge[]): void {
    const tls = new Map<string, SecureContext>()
    const http = new Map<string, string>()
    for (const challenge of challenges) {
      const host = challenge.host.toLowerCase()
      if (challenge.type === 'http-01') http.set(`${host} ${challenge.token}`, challenge.keyAuthorization)
      else tls.set(host, createSecureContext({ cert: challenge.certificate, key: challenge.key }))
    }
    this.#tlsChallenges = tls
    this.#httpChallenges = http
  }

  /** A wildcard covers one label. RFC 6125 6.4.3. */
  contextFor(serverName: string | undefined): SecureContext | undefined {
    if (serverName === undefined || serverName === '') return this.#first
    const name = serverName.toLowerCase()
    const dot = name.indexOf('.')
    return this.#exact.get(name) ?? (dot > 0 ? this.#wildcards.get(name.slice(dot)) : undefined)
  }

  /** Whether an ACME server may be about to ask for a certificate of its own. */
  get awaitsTls(): boolean {
    return this.#tlsChallenges.size > 0
  }

  challengeFor(serverName: string): SecureContext | undefined {
    return this.#tlsChallenges.get(serverName)
  }

  /** The answer to a request for `/.well-known/acme-challenge/TOKEN`. RFC 8555 8.3. */
  keyAuthorization(host: string, path: string): string | undefined {
    if (this.#httpChallenges.size === 0 || !path.startsWith('/.well-known/acme-challenge/')) return undefined
    return this.#httpChallenges.get(`${host.toLowerCase()} ${path.slice(28)}`)
  }
}
