/** Certificates that nobody vouches for: for trying TLS, and behind proxies that do not look. @module */
import { KeyObject, randomBytes, webcrypto } from 'node:crypto'

/** A new ECDSA key and its certificate. */
export async function selfSigned(
  hosts: string[],
  lifetimeDays = 365,
): Promise<{ certificate: string; key: string }> {
  // Loaded when it is asked for: few daemons ever do.
  const x509 = await import('@peculiar/x509')
  x509.cryptoProvider.set(webcrypto as Crypto)
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  // An hour back, for clocks that are behind.
  const notBefore = new Date(Date.now() - 3_600_000)
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    // A positive number of at most 20 bytes (RFC 5280 4.1.2.2).
    serialNumber: `01${randomBytes(15).toString('hex')}`,
    // A common name is at most 64 characters long.
    name: [{ CN: [hosts[0]!.slice(0, 64)] }],
    notBefore,
    notAfter: new Date(notBefore.getTime() + lifetimeDays * 86_400_000),
    signingAlgorithm: algorithm,
    keys: keys as webcrypto.CryptoKeyPair,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(hosts.map((value) => ({ type: 'dns', value }))),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as CryptoKey),
    ],
  })
  const key = KeyObject.from(keys.privateKey as webcrypto.CryptoKey).export({ type: 'pkcs8', format: 'pem' })
  return { certificate: `${certificate.toString('pem')}\n`, key: String(key) }
}
