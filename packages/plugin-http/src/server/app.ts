import { notFound, type ProblemKind, unauthorized } from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { Hono } from 'hono'
import { type Caller, identifyCaller } from '../auth/caller.ts'
import { refuseForeignPages } from '../auth/origin.ts'
import { sessionRoutes } from '../auth/session-routes.ts'
import { type Sessions, sessionCookie } from '../auth/sessions.ts'
import type { TokenStore } from '../auth/tokens.ts'
import type { Dashboard } from '../dashboard/dashboard.ts'
import { logFault, problemResponse, toProblem } from '../errors.ts'
import type { HttpMetrics } from '../metrics/http-metrics.ts'
import type { ServerContext, ServerTypes } from './environment.ts'
import type { Mounts } from './mounts.ts'

export interface AppParts {
  mounts: Mounts
  tokens: TokenStore
  sessions: Sessions
  metrics: HttpMetrics
  dashboard: Dashboard | undefined
  /** Names, beside addresses and `localhost`, under which browsers may reach the server. */
  trustedHosts: () => string[]
  log: Logger
}

/**
 * What every request goes through, from the outside in: it is measured; the dashboard's files are for
 * everybody; pages of other sites are refused; then the handler that is mounted at the path answers.
 */
export function createApp({
  mounts,
  tokens,
  sessions,
  metrics,
  dashboard,
  trustedHosts,
  log,
}: AppParts): Hono<ServerTypes> {
  const app = new Hono<ServerTypes>()

  const identify = async (context: ServerContext): Promise<Caller | undefined> => {
    context.env.callerInfo = await identifyCaller(context.env.incoming, context.env.local, {
      tokens,
      sessions,
    })
    return context.env.callerInfo
  }

  app.use(async function measure(context, next) {
    const done = metrics.begin(context.req.method)
    await next()
    done(context.env.route ?? 'other', context.res.status)
  })

  app.use(async function serveDashboard(context, next) {
    const mount = mounts.find(context.req.path)
    const file =
      mount === undefined || mount.prefix === '/' ? await dashboard?.find(context.req.raw) : undefined
    if (file === undefined) return next()
    context.env.route = 'dashboard'
    return file
  })

  app.use(async function guard(context, next) {
    const { headers } = context.env.incoming
    refuseForeignPages(headers, trustedHosts(), sessionCookie(headers.cookie) !== undefined)
    await next()
  })

  app.route('/api/v1/session', sessionRoutes({ tokens, sessions, identify }))

  app.get('/metrics', async function serveMetrics(context) {
    context.env.route = '/metrics'
    requireCaller(await identify(context))
    return context.body(await metrics.text(), 200, { 'content-type': metrics.contentType })
  })

  app.all('*', async function callMount(context) {
    const mount = mounts.find(pathOf(context))
    if (mount === undefined) throw notFound('page not found')
    const { env } = context
    env.route = mount.prefix
    const caller = await identify(context)
    if (mount.options.auth === 'caller') requireCaller(caller)
    env.caller = caller?.name
    mount.calls.add(env.call)
    void env.call.ended.then(() => mount.calls.delete(env.call))
    return mount.handle(context.req.raw, env)
  })

  app.onError(function answerProblem(error, context) {
    logFault(log, error, context.req)
    const problem = toProblem(error)
    return problemResponse(problem, challengeFor(problem.kind, context as ServerContext))
  })
  return app
}

/** As it was sent: what handlers see must be what decided about their access, nothing decoded in between. */
function pathOf(context: { req: { url: string } }): string {
  return new URL(context.req.url).pathname
}

function requireCaller(caller: Caller | undefined): void {
  if (caller === undefined)
    throw unauthorized('This address needs a token', {
      hint: 'Make one on the server with `kernel tokens:create <name>` and send it as "Authorization: Bearer <token>".',
    })
}

/** Git and curl ask for a password at `Basic`; so would a browser, in a dialog of its own that we do not want. */
function challengeFor(kind: ProblemKind, context: ServerContext): Record<string, string> {
  if (kind !== 'unauthorized') return {}
  const browser = context.env.incoming.headers['sec-fetch-site'] !== undefined
  return { 'WWW-Authenticate': `${browser ? 'Bearer' : 'Basic'} realm="kernel"` }
}
