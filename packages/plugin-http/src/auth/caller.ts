import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import type { Tokens } from '@kernel/contracts'
import { type Sessions, sessionCookie } from './sessions.ts'

/** Who sends a request, and how that is known. */
export interface Caller {
  name: string
  /** `local`: over the unix socket. `certificate`: by TLS. */
  by: 'local' | 'certificate' | 'token' | 'session'
}

/**
 * Who sends the request; undefined where nothing proves it. A token counts as `Authorization: Bearer`, or as
 * the password of `Basic`, whatever the user name (Git asks for both).
 */
export async function identifyCaller(
  incoming: IncomingMessage,
  local: boolean,
  { tokens, sessions }: { tokens: Tokens; sessions: Sessions },
): Promise<Caller | undefined> {
  if (local) return { name: 'local', by: 'local' }
  const token = tokenOf(incoming.headers.authorization)
  if (token !== undefined) {
    const info = await tokens.verify(token)
    return info && { name: info.name, by: 'token' }
  }
  const { socket } = incoming
  if (socket instanceof TLSSocket && socket.authorized)
    return { name: commonName(socket) ?? 'certificate', by: 'certificate' }
  const session = sessionCookie(incoming.headers.cookie)
  const info = session === undefined ? undefined : sessions.verify(session)
  return info && { name: info.name, by: 'session' }
}

function commonName(socket: TLSSocket): string | undefined {
  const name = socket.getPeerCertificate().subject?.CN
  return Array.isArray(name) ? name[0] : name
}

function tokenOf(authorization: string | undefined): string | undefined {
  const [, scheme = '', value = ''] = /^(\S+) +(\S+)$/.exec(authorization ?? '') ?? []
  if (scheme.toLowerCase() === 'bearer') return value
  if (scheme.toLowerCase() !== 'basic') return undefined
  const pair = Buffer.from(value, 'base64').toString('utf8')
  return pair.includes(':') ? pair.slice(pair.indexOf(':') + 1) : undefined
}
