/** Which certificate a visitor is shown. @module */
import { createSecureContext, type SecureContext } from 'node:tls'
import type { AcmeChallenge, EdgeCertificate } from '@kernel/contracts'
import { AcmeChallenges } from '../policy/acme-challenges.ts'

/** RFC 8737. */
export const ACME_TLS = 'acme-tls/1'

export class Certificates {
  readonly #ticketKeys: Buffer
  #exact = new Map<string, SecureContext>()
  /** By what follows the asterisk: `.example.com`. */
  #wildcards = new Map<string, SecureContext>()
  #first: SecureContext | undefined
  #tlsChallenges = new Map<string, SecureContext>()
  #http = new AcmeChallenges([])

  /** @param ticketKeys shared by all threads, so that a session that began at one goes on at another */
  constructor(ticketKeys: Buffer) {
    this.#ticketKeys = ticketKeys
  }

  /** Replaces all; open connections keep theirs. @throws where one can't be used: then all stay as they were */
  set(certificates: readonly EdgeCertificate[]): void {
    const exact = new Map<string, SecureContext>()
    const wildcards = new Map<string, SecureContext>()
    let first: SecureContext | undefined
    for (const { hosts, certificate, key } of certificates) {
      const context = createSecureContext({
        cert: certificate,
        key,
        minVersion: 'TLSv1.2',
        ticketKeys: this.#ticketKeys,
      })
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
    for (const challenge of challenges)
      if (challenge.type === 'tls-alpn-01') {
        const { host, certificate, key } = challenge
        tls.set(host.toLowerCase(), createSecureContext({ cert: certificate, key }))
      }
    this.#tlsChallenges = tls
    this.#http = new AcmeChallenges(challenges)
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
    return this.#http.size === 0 ? undefined : this.#http.find(host.toLowerCase(), path)
  }
}
