import { createHash, randomBytes } from 'node:crypto'
import type { TokenInfo } from '@kernel/contracts'
import { type Collection, collection, type Database } from '@kernel/state'

interface SessionRecord {
  tokenId: string
  /** Milliseconds since 1970. */
  expires: number
}

const cookieName = 'kernel_session'
/** A browser stays signed in for 30 days. */
const lifetimeMs = 30 * 24 * 3600 * 1000

/** Signed-in browsers. A session ends with the token it was opened with. */
export interface Sessions {
  /** Opens a session; answers its secret, which is kept nowhere but in the browser. */
  open(token: TokenInfo): string
  verify(secret: string): TokenInfo | undefined
  close(secret: string): void
}

export function createSessions(
  db: Database,
  findToken: (id: string) => TokenInfo | undefined,
  now: () => number = Date.now,
): Sessions {
  const records: Collection<SessionRecord> = collection(db, 'sessions')
  const sweep = () => {
    for (const [key, { expires }] of records.entries()) if (expires <= now()) records.delete(key)
  }

  return {
    open({ id }) {
      sweep()
      const secret = randomBytes(32).toString('base64url')
      records.put(hashOf(secret), { tokenId: id, expires: now() + lifetimeMs })
      return secret
    },
    verify(secret) {
      const record = records.get(hashOf(secret))
      return record && record.expires > now() ? findToken(record.tokenId) : undefined
    },
    close(secret) {
      records.delete(hashOf(secret))
    },
  }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** The session's secret in a `Cookie` header. */
export function sessionCookie(header: string | undefined): string | undefined {
  for (const part of (header ?? '').split(';')) {
    const [name, value] = part.trim().split('=', 2)
    if (name === cookieName && value) return value
  }
  return undefined
}

/** `Set-Cookie` that signs in, or out where there is no secret. Scripts never see it; other sites never send it. */
export function setSessionCookie(secret: string | undefined, secure: boolean): string {
  const age = secret === undefined ? 0 : lifetimeMs / 1000
  return `${cookieName}=${secret ?? ''}; Path=/; Max-Age=${age}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`
}
