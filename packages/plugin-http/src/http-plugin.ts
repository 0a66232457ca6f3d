import { join } from 'node:path'
import { HttpServer, Metrics, Tokens } from '@kernel/contracts'
import { definePlugin } from '@kernel/kernel'
import { ensureDir, openDatabase } from '@kernel/state'
import { createSessions } from './auth/sessions.ts'
import { createTokens } from './auth/tokens.ts'
import { httpConfig } from './config.ts'
import { loadDashboard } from './dashboard/dashboard.ts'
import { createHttpMetrics } from './metrics/http-metrics.ts'
import { Mounts } from './server/mounts.ts'
import { createServer } from './server/server.ts'

/**
 * The HTTP server. It needs no other plugin, so it starts first and stops last: sockets are open from the
 * first moment, requests wait until every plugin has started, and what plugins mount is theirs to end.
 */
export const server = definePlugin({
  name: 'http',
  version: '0.1.0',
  kernel: '^1',
  provides: [HttpServer, Tokens, Metrics],
  config: httpConfig,
  async setup(ctx) {
    const { dataDir, hosts, tls, socketGroup, webRoot, trustedHosts, graceSec } = ctx.config
    await ensureDir(join(dataDir, 'db'))
    const db = openDatabase(join(dataDir, 'db', 'http.db'))
    ctx.defer(() => db.close())

    const tokens = createTokens(db)
    const sessions = createSessions(db, tokens.get)
    const metrics = createHttpMetrics()
    const dashboard = webRoot === undefined ? undefined : await loadDashboard(webRoot)
    if (webRoot !== undefined && dashboard === undefined) ctx.log.warn(`There is no dashboard in ${webRoot}`)

    const doors = createServer({
      mounts: new Mounts(graceSec * 1000),
      tokens,
      sessions,
      metrics,
      dashboard,
      trustedHosts: () => trustedHosts,
      graceSec,
      log: ctx.log,
      ...(socketGroup !== undefined && { socketGroup }),
    })
    ctx.defer(doors.close)
    await doors.reload({ hosts, ...(tls && { tls }) })
    ctx.ready(doors.open)
    ctx.provide(HttpServer, doors)
    ctx.provide(Tokens, tokens)
    ctx.provide(Metrics, metrics)
  },
})
