import { notFound } from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { Hono } from 'hono'
import { routePath } from 'hono/route'
import { logFault } from '../errors.ts'
import { dockerError } from './errors.ts'
import { engineHeaders } from './headers.ts'
import { dockerRoutes } from './routes.ts'
import type { DockerContext, DockerServices, DockerTypes } from './types.ts'
import { requestedVersion, splitVersion } from './versions.ts'

/** Docker's API as one app: every route with and without the version's prefix, dockerd's headers on every answer. */
export function createDockerApp(services: DockerServices, log: Logger): Hono<DockerTypes> {
  const app = new Hono<DockerTypes>({
    getPath: (request) => splitVersion(new URL(request.url).pathname).rest,
  })
  const headers = Object.entries(engineHeaders(services.engine))

  app.use(async function dockerEngine(context, next) {
    context.env.route = 'docker'
    await next()
    // A taken connection has had its head.
    if (context.res !== context.env.hijacked)
      for (const [name, value] of headers) context.res.headers.set(name, value)
  })
  app.use(async function negotiateVersion(context, next) {
    context.set('version', requestedVersion(new URL(context.req.url).pathname))
    await next()
  })
  for (const [method, path, handler] of dockerRoutes(services))
    app.on(method, path, (context) => {
      context.env.route = `docker ${routePath(context)}`
      return handler(context as DockerContext)
    })
  app.notFound(() => {
    throw notFound('page not found')
  })
  app.onError((error, { req }) => {
    logFault(log, error, req)
    return dockerError(error)
  })
  return app
}
