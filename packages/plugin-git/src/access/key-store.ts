/** The keys that are let in, kept in the database. @module */
import { timingSafeEqual } from 'node:crypto'
import { conflict, invalid, notFound, type SshKey } from '@kernel/contracts'
import { collection, type Database } from '@kernel/state'
import { z } from 'zod'
import { fingerprintOf, type PublicKey, parsePublicKey } from './public-key.ts'

const record = z.object({
  name: z.string(),
  fingerprint: z.string(),
  publicKey: z.string(),
  added: z.string(),
})

export interface KeyStore {
  list(): SshKey[]
  add(name: string, publicKey: string): SshKey
  remove(nameOrFingerprint: string): void
  has(name: string): boolean
  /** The name and the key behind what a client offers (RFC 4253 6.6); constant time in its bytes. */
  find(blob: Buffer): { name: string; key: PublicKey } | undefined
}

export function createKeyStore(db: Database): KeyStore {
  const keys = collection<SshKey>(db, 'ssh-keys', { schema: record })
  const parsed = new Map<string, PublicKey>()

  function parse(key: SshKey): PublicKey {
    const known = parsed.get(key.fingerprint) ?? parsePublicKey(key.publicKey)
    parsed.set(key.fingerprint, known)
    return known
  }

  return {
    list: () => keys.list(),
    has: (name) => keys.has(name),
    add(name, publicKey) {
      if (!/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,62}$/.test(name))
        throw invalid(`${JSON.stringify(name)} is no name for a key.`, {
          hint: 'Use letters, digits and . _ @ + -, such as ann or ann@laptop.',
        })
      const { text, fingerprint } = parsePublicKey(publicKey)
      if (keys.has(name))
        throw conflict(`There is a key named ${name} already.`, {
          hint: `Choose another name, or remove it first: kernel ssh-keys:remove ${name}`,
        })
      const same = keys.list().find((key) => key.fingerprint === fingerprint)
      if (same) throw conflict(`This key is let in already, as ${same.name}.`)
      return keys.put(name, { name, fingerprint, publicKey: text, added: new Date().toISOString() })
    },
    remove(nameOrFingerprint) {
      const key =
        keys.get(nameOrFingerprint) ?? keys.list().find((each) => each.fingerprint === nameOrFingerprint)
      if (!key)
        throw notFound(`There is no SSH key ${nameOrFingerprint}.`, { hint: 'See kernel ssh-keys:list' })
      keys.delete(key.name)
      parsed.delete(key.fingerprint)
    },
    find(blob) {
      const fingerprint = fingerprintOf(blob)
      const found = keys.list().find((key) => key.fingerprint === fingerprint)
      if (!found) return undefined
      const key = parse(found)
      return key.blob.length === blob.length && timingSafeEqual(key.blob, blob)
        ? { name: found.name, key }
        : undefined
    },
  }
}
