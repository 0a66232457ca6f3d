/** Who comes in over SSH: whoever proves to have a key that is let in. @module */
import type { AuthContext } from 'ssh2'
import type { KeyStore } from '../access/key-store.ts'

/** An agent may offer many keys before the right one. */
const mostAttempts = 30

/** Which names a client may give; who it is, its key tells. */
const userName = /^[A-Za-z0-9._-]{1,64}$/

/**
 * Answers one connection's attempts (RFC 4252 7): public keys only.
 * @param accepted gets the key's name once its signature was verified
 * @param giveUp is called after too many attempts
 */
export function authentication(keys: KeyStore, accepted: (name: string) => void, giveUp: () => void) {
  let attempts = 0
  return (context: AuthContext): void => {
    const name = nameBehind(context, keys)
    if (context.method !== 'none' && ++attempts > mostAttempts) giveUp()
    else if (name === undefined) context.reject(['publickey'])
    else {
      if (isSigned(context)) accepted(name)
      context.accept()
    }
  }
}

const isSigned = (context: AuthContext) => context.method === 'publickey' && context.signature !== undefined

/** The name of the key; undefined where it is not let in, or its signature is wrong. Without one, the client asks. */
function nameBehind(context: AuthContext, keys: KeyStore): string | undefined {
  if (context.method !== 'publickey' || !userName.test(context.username)) return undefined
  const found = keys.find(context.key.data)
  const { algo } = context.key
  if (!found || found.key.parsed.type !== algo) return undefined
  // A signature of RSA without a named hash is made with SHA-1.
  if (algo === 'ssh-rsa' && context.hashAlgo === undefined) return undefined
  const { blob, signature, hashAlgo } = context
  if (signature === undefined) return found.name
  return blob && found.key.parsed.verify(blob, signature, hashAlgo) === true ? found.name : undefined
}
