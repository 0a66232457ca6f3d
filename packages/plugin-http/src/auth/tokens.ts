import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { conflict, invalid, notFound, type TokenInfo, type Tokens } from '@kernel/contracts'
import { type Collection, collection, type Database } from '@kernel/state'
import { ulid } from 'ulid'

interface TokenRecord extends TokenInfo {
  /** SHA-256 of the secret, in hex. A slow hash would add nothing: the secret has 256 random bits. */
  hash: string
}

/** Marks the product's tokens, so that scanners for leaked secrets find them. */
const tokenPrefix = 'krn_'
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9._@-]{0,62}$/
/** `lastUsed` is written at most this often, in milliseconds: a busy client would write on every request. */
const usedResolution = 60_000

export interface TokenStore extends Tokens {
  /** Synchronous, for sessions that hang on a token. */
  get(id: string): TokenInfo | undefined
}

/** Tokens in the plugin's database; only hashes of their secrets are kept. */
export function createTokens(db: Database, now: () => number = Date.now): TokenStore {
  const records: Collection<TokenRecord> = collection(db, 'tokens')

  const find = (idOrName: string) =>
    records.get(idOrName) ?? records.list().find((record) => record.name === idOrName)

  return {
    async create(name) {
      if (!namePattern.test(name))
        throw invalid(`"${name}" is no name for a token`, {
          hint: 'Use letters, digits and . _ @ -, at most 63 characters.',
        })
      if (find(name))
        throw conflict(`There is a token "${name}" already`, { hint: 'Revoke it, or take another name.' })
      const token = tokenPrefix + randomBytes(32).toString('base64url')
      const record = { id: ulid(now()), name, created: new Date(now()).toISOString(), hash: hashOf(token) }
      records.put(record.id, record)
      return { ...infoOf(record), token }
    },

    list: async () => records.list().map(infoOf),

    async revoke(idOrName) {
      const record = find(idOrName)
      if (!record) throw notFound(`There is no token "${idOrName}"`)
      records.delete(record.id)
    },

    async verify(token) {
      const hash = Buffer.from(hashOf(token), 'hex')
      let match: TokenRecord | undefined
      // Every record is compared, in a time that tells nothing about which one matched.
      for (const record of records.list()) {
        if (timingSafeEqual(hash, Buffer.from(record.hash, 'hex'))) match = record
      }
      if (match && now() - Date.parse(match.lastUsed ?? match.created) > usedResolution)
        match = records.put(match.id, { ...match, lastUsed: new Date(now()).toISOString() })
      return match && infoOf(match)
    },

    get(id) {
      const record = records.get(id)
      return record && infoOf(record)
    },
  }
}

function infoOf({ id, name, created, lastUsed }: TokenRecord): TokenInfo {
  return lastUsed === undefined ? { id, name, created } : { id, name, created, lastUsed }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}
