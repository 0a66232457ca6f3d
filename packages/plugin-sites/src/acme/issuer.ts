/** Gets one app's certificate from its ACME server. @module */
import { type AcmeReport, failed, invalid, unavailable } from '@kernel/contracts'
import { describeError } from '@kernel/kernel'
import { everyApp, type Platform } from '../platform.ts'
import type { Publisher } from '../publisher.ts'
import type { CertificateBook } from '../services/certificates.ts'
import type { AcmeRecord } from '../store/records.ts'
import { type Authority, directories, NoDirectory } from './authority.ts'
import { Challenges } from './challenges.ts'
import { publicHosts } from './renewal.ts'

type Kind = AcmeReport['challenge']

const hints: Record<Kind, string> = {
  'http-01': 'The server must reach port 80 of each name, and end up at this machine.',
  'tls-alpn-01':
    'The server must reach port 443 of each name, and end up at this machine with nothing in between.',
}

export class Issuer {
  readonly #platform: Platform
  readonly #publisher: Publisher
  readonly #certificates: CertificateBook
  readonly #authority: Authority
  readonly #challenges: Challenges

  constructor(platform: Platform, publisher: Publisher, certificates: CertificateBook, authority: Authority) {
    this.#platform = platform
    this.#publisher = publisher
    this.#certificates = certificates
    this.#authority = authority
    this.#challenges = new Challenges(platform.router)
  }

  /** What is in force for an app: its own, else the global one, else Let's Encrypt by HTTP-01. */
  settingsOf(record: Pick<AcmeRecord, 'email' | 'server' | 'challenge'>) {
    const { acme } = this.#platform.store.global()
    const email = record.email ?? acme.email
    const server = record.server ?? acme.server ?? 'production'
    const challenge: Kind = record.challenge ?? acme.challenge ?? 'http-01'
    return {
      ...(email !== undefined && { email }),
      server,
      challenge,
      directory: directories[server] ?? server,
    }
  }

  async hostsOf(app: string): Promise<string[]> {
    return publicHosts(await this.#publisher.domains(app))
  }

  /** @throws unavailable, where visitors could not use a certificate, or the server could not look */
  async checkListeners(challenge: Kind): Promise<void> {
    const protocols = (await this.#platform.router.listeners()).map(({ protocol }) => protocol)
    if (!protocols.includes('https'))
      throw unavailable('The edge does not listen for https', {
        hint: 'Start the daemon with --https 0.0.0.0:443, or `https` in its config file.',
      })
    if (challenge === 'http-01' && !protocols.includes('http'))
      throw unavailable('The edge does not listen for plain HTTP, where HTTP-01 is answered', {
        hint: 'letsencrypt:set --global challenge tls-alpn-01',
      })
  }

  /** Gets the certificate and shows it. @throws invalid, unavailable, failed with the server's reason */
  async issue(app: string, say: (text: string) => void): Promise<void> {
    const { store, accountKeys, signal } = this.#platform
    const { directory, challenge, email } = this.settingsOf(store.acme(app))
    await this.checkListeners(challenge)
    const hosts = await this.hostsOf(app)
    if (hosts.length === 0)
      throw invalid(`${app} has no domain that an ACME server can look for`, {
        hint: `Give it a public one: domains:add ${app} app.example.com. Wildcards and localhost do not count.`,
      })
    say(`Asking ${new URL(directory).host} for ${hosts.join(', ')} (${challenge})`)
    const accountKey = await accountKeys.read(await this.#accountKeyFile(directory))
    const issued = await this.#authority
      .issue({
        directory,
        accountKey,
        hosts,
        challenge,
        ...(email !== undefined && { email }),
        present: (one) => this.#challenges.present(one),
        withdraw: (one) => this.#challenges.withdraw(one),
      })
      .catch((error) => {
        throw failed(`No certificate for ${hosts.join(', ')}: ${(error as Error).message}`, {
          hint:
            error instanceof NoDirectory
              ? `Another server: letsencrypt:set ${app} server URL`
              : hints[challenge],
          cause: error,
        })
      })
    if (signal.aborted) throw unavailable('The daemon is stopping')
    await this.#certificates.install(app, 'acme', issued.certificate, issued.key)
    store.changeAcme(app, { failures: 0, error: undefined, nextAttempt: undefined, issuedBy: directory })
  }

  /** @throws failed with the server's reason */
  async revoke(app: string, directory: string, certificate: string): Promise<void> {
    const { accountKeys } = this.#platform
    const accountKey = await accountKeys.read(await this.#accountKeyFile(directory))
    await this.#authority.revoke({ directory, accountKey, certificate }).catch((error) => {
      throw failed(`The certificate of ${app} is not revoked: ${describeError(error)}`, { cause: error })
    })
  }

  /** The key is on the disk before the server hears of it: without, nothing of the account could be changed. */
  async #accountKeyFile(directory: string): Promise<string> {
    const { store, accountKeys } = this.#platform
    const known = store.account(directory)
    if (known) return known.keyFile
    const keyFile = await accountKeys.add(await this.#authority.newAccountKey())
    store.putAccount({ directory, keyFile })
    return keyFile
  }
}

/** @throws invalid, with what the key may be */
export function parseAcmeSetting(
  key: string,
  value: string,
): Partial<Pick<AcmeRecord, 'email' | 'server' | 'challenge'>> {
  const text = value.trim()
  const set = text === '' ? undefined : text
  switch (key) {
    case 'email':
      if (set !== undefined && !/^[^\s@,;:]+@[^\s@,;:]+$/.test(set))
        throw invalid(`${JSON.stringify(set)} is no address of e-mail`)
      return { email: set }
    case 'server':
      if (
        set !== undefined &&
        !Object.hasOwn(directories, set) &&
        !(URL.canParse(set) && set.startsWith('https://'))
      )
        throw invalid(`${JSON.stringify(set)} is no ACME server`, {
          hint: 'Give production or staging (of Let’s Encrypt), or the https:// URL of a directory.',
        })
      return { server: set }
    case 'challenge':
      if (set !== undefined && set !== 'http-01' && set !== 'tls-alpn-01')
        throw invalid(`${JSON.stringify(set)} is no challenge that the edge answers`, {
          hint: 'Give http-01 or tls-alpn-01.',
        })
      return { challenge: set }
    default:
      throw invalid(`There is nothing to set by ${JSON.stringify(key)} for ${everyApp} or an app`, {
        hint: 'There are: email, server, challenge',
      })
  }
}
