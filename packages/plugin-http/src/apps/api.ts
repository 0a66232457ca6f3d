import { OpenAPIHono, type RouteConfig } from '@hono/zod-openapi'
import { type ApiRouteName, apiRoutes, type HttpEnvironment, invalid, notFound } from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { HTTPException } from 'hono/http-exception'
import type { z } from 'zod'
import { logFault, problemResponse, toProblem } from '../errors.ts'
import { accessOperations } from './access-operations.ts'
import { answerWith } from './answers.ts'
import { appOperations } from './app-operations.ts'
import { describeRoute } from './describe-route.ts'
import type { Operation, PathParameters } from './operation.ts'
import { processOperations } from './process-operations.ts'
import type { ApiServices } from './services.ts'
import { siteOperations } from './site-operations.ts'
import { systemOperations } from './system-operations.ts'

export const apiPrefix = '/api/v1'
/** Bytes; the largest bodies are environments of apps. */
const longestBody = 4 * 1024 * 1024

interface ApiTypes {
  Bindings: HttpEnvironment
}

/** Every operation by the name that the contracts give its route. */
export function allOperations(services: ApiServices) {
  return {
    ...systemOperations(services),
    ...appOperations(services),
    ...processOperations(services),
    ...siteOperations(services),
    ...accessOperations(services),
  } satisfies Record<ApiRouteName, Operation>
}

/** The product's API with its OpenAPI document at `/openapi.json`. */
export function createApi(services: ApiServices, log: Logger): OpenAPIHono<ApiTypes> {
  const api = new OpenAPIHono<ApiTypes>({ defaultHook: (result) => refuse(result) }).basePath(apiPrefix)
  const operations = allOperations(services)

  api.use(function limitBody({ req }, next) {
    if (Number(req.header('content-length') ?? 0) > longestBody)
      throw invalid('The body is longer than 4 MiB')
    if (req.header('transfer-encoding') !== undefined)
      throw invalid('The body comes without its length', {
        hint: 'Send it in one piece, with Content-Length.',
      })
    return next()
  })
  for (const name of Object.keys(apiRoutes) as ApiRouteName[]) {
    const operation: Operation = operations[name]
    const route: RouteConfig = describeRoute(name, operation)
    api.openapi(route, (context) => {
      const { env, req } = context
      env.route = apiPrefix + apiRoutes[name].path
      // What the validators of the route left; a route without a schema has no such target.
      const valid = req.valid.bind(req) as unknown as (target: 'json' | 'query') => never
      const call = {
        params: req.param() as unknown as PathParameters,
        body: valid('json'),
        query: valid('query'),
        caller: env.caller ?? 'local',
        signal: env.signal,
      }
      return answerWith(operation, call, env)
    })
  }
  api.get('/openapi.json', (context) => {
    context.env.route = `${apiPrefix}/openapi.json`
    return context.json(openApiDocument(api, services.facts.version))
  })
  api.notFound(() => problemResponse(notFound('There is nothing at this path of the API')))
  api.onError((error, { req }) => {
    // Hono's own: a body that is no JSON.
    if (error instanceof HTTPException && error.status === 400) return problemResponse(invalid(error.message))
    logFault(log, error, req)
    return problemResponse(toProblem(error))
  })
  return api
}

/** The document that describes the API, OpenAPI 3.1. */
function openApiDocument(api: OpenAPIHono<ApiTypes>, version: string) {
  return api.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'kernel API',
      version,
      description: "The product's own API; Docker's is at the root beside it.",
    },
    security: [{ token: [] }],
  })
}

/** The document without a daemon: describing the operations calls none of the services. */
export function describeApi(): ReturnType<OpenAPIHono['getOpenAPI31Document']> {
  return openApiDocument(createApi({} as ApiServices, console), '1')
}

/** Says which field is wrong and how. */
function refuse(result: { target: string } & ({ success: true } | { success: false; error: z.ZodError })) {
  if (result.success) return
  const where = result.target === 'json' ? 'body' : result.target
  const issues = result.error.issues.map(({ path, message }) => `${[where, ...path].join('.')}: ${message}`)
  throw invalid(issues.join('; '))
}
