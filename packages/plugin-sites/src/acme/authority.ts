/** ACME servers, by the package acme-client. @module */
import type { AcmeChallenge, AcmeReport } from '@kernel/contracts'

export interface IssueRequest {
  /** URL of the server's directory. */
  directory: string
  /** PEM. */
  accountKey: string
  email?: string
  hosts: string[]
  challenge: AcmeReport['challenge']
  /** Resolves when every listener answers it. */
  present(challenge: AcmeChallenge): Promise<void>
  withdraw(challenge: AcmeChallenge): Promise<void>
}

export interface Authority {
  newAccountKey(): Promise<string>
  /** @returns PEM, with the chain. @throws Error with the server's reason */
  issue(request: IssueRequest): Promise<{ certificate: string; key: string }>
  revoke(request: Pick<IssueRequest, 'directory' | 'accountKey'> & { certificate: string }): Promise<void>
}

export const directories: Record<string, string> = {
  production: 'https://acme-v02.api.letsencrypt.org/directory',
  staging: 'https://acme-staging-v02.api.letsencrypt.org/directory',
}

/** A server that does not answer, and one that takes its time, are given up after some minutes. */
const patience = { backoffAttempts: 20, backoffMin: 500, backoffMax: 10_000 }

// Loaded at the first use: most daemons start without, and it is not small.
async function acmeClient() {
  const { default: acme } = await import('acme-client')
  acme.axios.defaults.timeout = 30_000
  Object.assign(acme.axios.defaults, {
    acmeSettings: { ...acmeSettingsOf(acme.axios.defaults), retryMaxAttempts: 2, retryDefaultDelay: 1 },
  })
  return acme
}

const acmeSettingsOf = (defaults: object) => (defaults as { acmeSettings?: object }).acmeSettings

/** The server itself can't be asked; its reason has nothing to do with the names. */
export class NoDirectory extends Error {}

/**
 * Says what is wrong with a directory before anything is asked of it: of a server that does not answer, acme-client
 * says nothing that helps.
 */
async function checkDirectory(directory: string): Promise<void> {
  const answer = await fetch(directory, { signal: AbortSignal.timeout(30_000) }).catch((error: Error) => {
    const { message } = error.cause instanceof Error ? error.cause : error
    throw new NoDirectory(`${new URL(directory).host} does not answer: ${message}`, { cause: error })
  })
  const found: unknown = await answer.json().catch(() => undefined)
  if (typeof found !== 'object' || found === null || !('newOrder' in found))
    throw new NoDirectory(`${directory} is not the directory of an ACME server (status ${answer.status})`)
}

/** By an account at the server, which is made where it is not there: whoever asks for a certificate agrees to its terms. */
export const acmeAuthority: Authority = {
  async newAccountKey() {
    const acme = await acmeClient()
    return String(await acme.crypto.createPrivateEcdsaKey())
  },

  async issue({ directory, accountKey, email, hosts, challenge: wanted, present, withdraw }) {
    await checkDirectory(directory)
    const acme = await acmeClient()
    const client = new acme.Client({ directoryUrl: directory, accountKey, ...patience })
    const [key, csr] = await acme.crypto.createCsr(
      { altNames: hosts },
      await acme.crypto.createPrivateEcdsaKey(),
    )
    const shown = new Map<string, AcmeChallenge>()
    const certificate = await client.auto({
      csr,
      ...(email !== undefined && { email }),
      termsOfServiceAgreed: true,
      // The server looks for itself, and from where it matters.
      skipChallengeVerification: true,
      challengePriority: [wanted],
      async challengeCreateFn(
        { identifier: { value: host }, ...rest },
        { type, token, url },
        keyAuthorization,
      ) {
        if (type !== wanted) throw new Error(`the server offers no ${wanted} for ${host}`)
        const challenge: AcmeChallenge =
          wanted === 'http-01'
            ? { type: wanted, host, token, keyAuthorization }
            : {
                type: wanted,
                host,
                ...(await alpnPair({ identifier: { type: 'dns', value: host }, ...rest })),
              }
        shown.set(url, challenge)
        await present(challenge)

        async function alpnPair(authorization: Parameters<typeof acme.crypto.createAlpnCertificate>[0]) {
          const [alpnKey, alpn] = await acme.crypto.createAlpnCertificate(
            authorization,
            keyAuthorization,
            await acme.crypto.createPrivateEcdsaKey(),
          )
          return { certificate: String(alpn), key: String(alpnKey) }
        }
      },
      async challengeRemoveFn(_, { url }) {
        const challenge = shown.get(url)
        if (challenge) await withdraw(challenge)
      },
    })
    return { certificate, key: String(key) }
  },

  async revoke({ directory, accountKey, certificate }) {
    await checkDirectory(directory)
    const acme = await acmeClient()
    const client = new acme.Client({ directoryUrl: directory, accountKey, ...patience })
    await client.createAccount({ termsOfServiceAgreed: true })
    await client.revokeCertificate(certificate)
  },
}
