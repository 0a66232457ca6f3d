import { createRoute, type RouteConfig, z } from '@hono/zod-openapi'
import { type ApiRouteName, apiRoutes } from '@kernel/contracts'
import { nothing, type Operation } from './operation.ts'
import { problem } from './schema.ts'

const problems = {
  default: { description: 'It did not work', content: { 'application/json': { schema: problem } } },
}

/** A route of the contracts with the schemas of its operation, as OpenAPI describes it. */
export function describeRoute(name: ApiRouteName, operation: Operation): RouteConfig {
  const { method, path, summary } = apiRoutes[name]
  const parameters = [...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter!)
  const params = z.object(Object.fromEntries(parameters.map((parameter) => [parameter, z.string()])))
  const body = operation.body
  return createRoute({
    method: method.toLowerCase() as 'get',
    path,
    operationId: name,
    summary,
    tags: [tagOf(name)],
    request: {
      ...(parameters.length > 0 && { params }),
      ...(operation.query && { query: operation.query }),
      ...(body && {
        body: { required: !body.isOptional(), content: { 'application/json': { schema: body } } },
      }),
    },
    responses: { ...answerOf(operation), ...problems },
  })
}

/** The subject of a route, from its name: `releasesRollback` is about releases. */
function tagOf(name: ApiRouteName): string {
  const subject = /^[a-z]+/.exec(name)?.[0] ?? name
  const others: Record<string, string> = {
    base: 'system',
    ssh: 'ssh keys',
    ps: 'processes',
    run: 'processes',
    enter: 'processes',
  }
  return others[subject] ?? subject
}

function answerOf(operation: Operation): RouteConfig['responses'] {
  switch (operation.answer) {
    case 'json':
      return { 200: { description: 'OK', content: { 'application/json': { schema: operation.schema } } } }
    case 'empty':
      return { 204: { description: 'Done' } }
    case 'lines': {
      const last = operation.form === 'work' ? [z.object({ result: operation.schema })] : []
      const lines = z.union([operation.line, ...last, z.object({ error: problem })])
      const result = operation.form === 'work' && operation.schema !== nothing ? ', with its result' : ''
      const end = operation.form === 'work' ? `; the last line tells how the work ended${result}` : ''
      return {
        200: {
          description: `One JSON object a line, each as it happens${end}`,
          content: { 'application/x-ndjson': { schema: lines } },
        },
      }
    }
    case 'stream':
      return {
        101: {
          description:
            'The connection carries frames: one byte type, four bytes length (big endian), payload. Types: 0 input (empty: its end), 1 output, 2 errors, 3 the exit as JSON {exitCode, error?}, the last frame, 4 size as JSON {rows, columns}. The request must ask for an upgrade to tcp.',
        },
      }
  }
}
