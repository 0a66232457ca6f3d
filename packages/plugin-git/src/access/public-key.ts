/** Public keys as people paste them. @module */
import { createHash, createPublicKey } from 'node:crypto'
import { invalid } from '@kernel/contracts'
import ssh2, { type ParsedKey } from 'ssh2'

export interface PublicKey {
  /** `ssh-ed25519 AAAA...` */
  text: string
  /** The key as it goes over the wire, RFC 4253 6.6. */
  blob: Buffer
  /** `SHA256:...` */
  fingerprint: string
  parsed: ParsedKey
}

const types = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521', 'ssh-rsa']
const leastRsaBits = 2048

const tellHow =
  'Give the line of a .pub file, such as ~/.ssh/id_ed25519.pub; ssh-keygen -t ed25519 makes one.'

/**
 * Parses a line `type base64 [comment]`.
 * @throws invalid that names what was given instead: a private key, several keys, a key that is too weak, ...
 */
export function parsePublicKey(input: string): PublicKey {
  const text = input.trim()
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----|^PuTTY-User-Key-File/m.test(text))
    throw invalid('This is a private key. It was not kept; never give it to anybody.', {
      hint: `Give the public one. ${tellHow}`,
    })
  if (/^---- BEGIN SSH2 PUBLIC KEY ----|^-----BEGIN [A-Z ]*PUBLIC KEY-----/m.test(text))
    throw invalid("This public key is not in OpenSSH's form.", { hint: 'Convert it: ssh-keygen -i -f FILE' })
  if (text === '') throw invalid('No key was given.', { hint: tellHow })
  if (/[\r\n]/.test(text)) throw invalid('This is more than one line.', { hint: 'Add one key at a time.' })
  const [type = '', base64 = ''] = text.split(/[ \t]+/)
  if (!types.includes(type)) throw unknownType(type)
  const parsed = ssh2.utils.parseKey(`${type} ${base64}`)
  if (parsed instanceof Error || parsed.isPrivateKey() || parsed.type !== type || !isBase64(base64))
    throw invalid(`This ${type} key is damaged.`, { hint: `Copy it whole. ${tellHow}` })
  const blob = parsed.getPublicSSH()
  if (blob.toString('base64') !== base64)
    throw invalid(`This ${type} key is damaged.`, { hint: `Copy it whole. ${tellHow}` })
  const bits = createPublicKey(parsed.getPublicPEM()).asymmetricKeyDetails?.modulusLength
  if (type === 'ssh-rsa' && (bits ?? 0) < leastRsaBits)
    throw invalid(`This RSA key has ${bits} bits; it can be broken.`, {
      hint: `Use at least ${leastRsaBits}, or ed25519. ${tellHow}`,
    })
  return { text: `${type} ${base64}`, blob, fingerprint: fingerprintOf(blob), parsed }
}

/** As `ssh-keygen -l` prints it. */
export const fingerprintOf = (blob: Buffer): string =>
  `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`

const isBase64 = (text: string) => /^[A-Za-z0-9+/]+={0,2}$/.test(text)

function unknownType(type: string) {
  if (type === 'ssh-dss') return invalid('DSA keys can be broken.', { hint: tellHow })
  if (type.startsWith('sk-') || type.includes('-cert-v01@'))
    return invalid(`Keys of the type ${type} are not supported.`, { hint: tellHow })
  if (/^(command|environment|from|restrict|no-|cert-authority)/.test(type))
    return invalid('This line begins with options of authorized_keys.', { hint: 'Give the key alone.' })
  return invalid('This is no SSH public key.', { hint: tellHow })
}
