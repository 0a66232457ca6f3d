/** What a certificate says, and whether it can be used. @module */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { type CertificateReport, invalid } from '@kernel/contracts'

export type CertificateFacts = Omit<CertificateReport, 'app' | 'source' | 'uncovered' | 'expired'>

const block =
  /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END (?:TRUSTED )?CERTIFICATE-----/g

/**
 * Checks that the two can serve visitors.
 * @param certificate PEM with the chain in any order: the one that the key is of goes first
 * @returns both in the form in which they are kept
 * @throws invalid; no message holds anything of the key
 */
export function checkPair(
  certificate: string,
  key: string,
): { certificate: string; key: string; facts: CertificateFacts } {
  const chain = parseChain(certificate)
  const parsed = parseKey(key)
  const leaf = chain.find((one) => one.checkPrivateKey(parsed))
  if (leaf === undefined)
    throw invalid('The key is not that of the certificate', {
      hint: `The certificate is for ${hostsOf(chain[0]!).join(', ') || chain[0]!.subject}; give the key that it was requested with.`,
    })
  const ordered = [leaf, ...chain.filter((one) => one !== leaf)]
    .map((one) => one.toString().trim())
    .join('\n')
  const facts = factsOf(`${ordered}\n`)
  if (facts.hosts.length === 0)
    throw invalid('The certificate names no host', {
      hint: 'Browsers look at its subject alternative names (SAN) only, and it has none that is a DNS name.',
    })
  const pem = String(parsed.export({ type: 'pkcs8', format: 'pem' }))
  try {
    createSecureContext({ cert: facts.certificate, key: pem })
  } catch (error) {
    throw invalid(`TLS does not take the certificate: ${(error as Error).message}`, { cause: error })
  }
  return { certificate: facts.certificate, key: pem, facts }
}

/** @param certificate PEM that was checked before */
export function factsOf(certificate: string): CertificateFacts {
  const [leaf] = parseChain(certificate)
  return {
    hosts: hostsOf(leaf!),
    subject: nameOf(leaf!.subject),
    issuer: nameOf(leaf!.issuer),
    serial: leaf!.serialNumber,
    fingerprint: leaf!.fingerprint256,
    notBefore: leaf!.validFromDate.toISOString(),
    notAfter: leaf!.validToDate.toISOString(),
    certificate,
  }
}

function parseChain(pem: string): X509Certificate[] {
  const blocks = pem.match(block) ?? []
  if (blocks.length === 0)
    throw invalid('There is no certificate in PEM', {
      hint: /PRIVATE KEY/.test(pem)
        ? 'It is a private key: give the certificate first, then the key.'
        : 'It begins with -----BEGIN CERTIFICATE-----. From DER: openssl x509 -inform der -in FILE',
    })
  return blocks.map((text, at) => {
    try {
      return new X509Certificate(text)
    } catch (error) {
      throw invalid(
        `Certificate ${at + 1} of ${blocks.length} can not be read: ${(error as Error).message}`,
        {
          cause: error,
        },
      )
    }
  })
}

function parseKey(pem: string): KeyObject {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem))
    throw invalid('There is no private key in PEM', { hint: 'It begins with -----BEGIN PRIVATE KEY-----' })
  if (/ENCRYPTED/.test(pem))
    throw invalid('The private key is encrypted', {
      hint: 'The daemon has nobody to ask for its passphrase. Decrypt it: openssl pkey -in FILE',
    })
  try {
    // Parameters of the curve may stand before it (`openssl ecparam -genkey`).
    return createPrivateKey(pem.slice(pem.search(/-----BEGIN [A-Z ]*PRIVATE KEY-----/)))
  } catch {
    // Without the cause: nobody knows what its message holds.
    throw invalid('The private key can not be read')
  }
}

/** DNS names in the form in which requests have them; others (addresses) have no SNI. */
function hostsOf(certificate: X509Certificate): string[] {
  const names = [...(certificate.subjectAltName ?? '').matchAll(/(?:^|, )DNS:("?)([^",]+)\1/g)]
  const hosts = names.map(([, , name]) => name!.toLowerCase().replace(/\.$/, ''))
  return [...new Set(hosts.filter((host) => /^(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(host)))]
}

/** `CN=x\nO=y` on one line. */
const nameOf = (name: string | undefined) => (name ?? '').split('\n').join(', ')

/** Whether a certificate's names have this domain. A wildcard stands for one label, and for itself. */
export function covers(hosts: readonly string[], domain: string): boolean {
  return hosts.includes(domain) || (!domain.startsWith('*.') && hosts.includes(domain.replace(/^[^.]+/, '*')))
}
