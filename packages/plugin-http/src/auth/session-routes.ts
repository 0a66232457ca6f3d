import { invalid, unauthorized } from '@kernel/contracts'
import { Hono } from 'hono'
import { z } from 'zod'
import type { ServerContext, ServerTypes } from '../server/environment.ts'
import type { Caller } from './caller.ts'
import { type Sessions, sessionCookie, setSessionCookie } from './sessions.ts'
import type { TokenStore } from './tokens.ts'

interface SessionParts {
  tokens: TokenStore
  sessions: Sessions
  identify(context: ServerContext): Promise<Caller | undefined>
}

const signIn = z.object({ token: z.string().min(1) })
/** A sign-in is far shorter; whoever sends more is not signing in. */
const longestBody = 4096

/**
 * `/api/v1/session`, for the dashboard: GET tells who is signed in, POST `{token}` signs in and sets the
 * cookie, DELETE signs out.
 */
export function sessionRoutes({ tokens, sessions, identify }: SessionParts): Hono<ServerTypes> {
  const routes = new Hono<ServerTypes>()
  const isSecure = (context: ServerContext) =>
    'encrypted' in context.env.incoming.socket || context.req.header('x-forwarded-proto') === 'https'

  routes.use(async (context, next) => {
    context.env.route = '/api/v1/session'
    await next()
  })

  routes.get('/', async (context) => {
    const caller = await identify(context)
    if (!caller) throw unauthorized('Nobody is signed in', { hint: 'Sign in with a token.' })
    return context.json({ name: caller.name, by: caller.by })
  })

  routes.post('/', async (context) => {
    if (Number(context.req.header('content-length') ?? longestBody + 1) > longestBody)
      throw invalid('A sign-in is JSON of at most 4096 bytes: {"token": "..."}')
    const body = signIn.safeParse(await context.req.json().catch(() => undefined))
    if (!body.success) throw invalid('A sign-in is JSON: {"token": "..."}')
    const token = await tokens.verify(body.data.token)
    if (!token)
      throw unauthorized('This token is not known here', {
        hint: 'Make one on the server with `kernel tokens:create <name>`.',
      })
    context.header('Set-Cookie', setSessionCookie(sessions.open(token), isSecure(context)))
    return context.json({ name: token.name, by: 'session' as const })
  })

  routes.delete('/', (context) => {
    const secret = sessionCookie(context.req.header('cookie'))
    if (secret !== undefined) sessions.close(secret)
    context.header('Set-Cookie', setSessionCookie(undefined, isSecure(context)))
    return context.body(null, 204)
  })
  return routes
}
