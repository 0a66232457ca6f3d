import { apiPrefix } from './api.ts'

/** As much of OpenAPI 3.1 as our own document has. */
interface Document {
  info: { title: string; version: string; description?: string }
  paths?: Record<string, Record<string, OperationObject>>
  components?: { schemas?: Record<string, Schema> }
}
interface OperationObject {
  operationId?: string
  summary?: string
  tags?: string[]
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: Schema }[]
  requestBody?: { required?: boolean; content: Record<string, { schema?: Schema }> }
  responses: Record<string, { description: string; content?: Record<string, { schema?: Schema }> }>
}
interface Schema {
  $ref?: string
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  format?: string
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: Schema | boolean
  items?: Schema
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
}

const generated =
  '<!-- Written by packages/plugin-http/scripts/api-reference.ts; change the routes, not this file. -->'

/** The reference of the API in Markdown, from its OpenAPI document. */
export function renderReference(document: Document): string {
  const byTag = new Map<string, string[]>()
  for (const [path, methods] of Object.entries(document.paths ?? {}))
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? 'other'
      byTag.set(tag, [...(byTag.get(tag) ?? []), renderOperation(method, path, operation)])
    }
  const schemas = Object.entries(document.components?.schemas ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return [
    generated,
    `# ${document.info.title}`,
    document.info.description ?? '',
    `All paths begin with \`${apiPrefix}\`; the same as OpenAPI 3.1 is at \`${apiPrefix}/openapi.json\`. Over the unix socket no token is needed; over TCP send \`Authorization: Bearer <token>\`. Browsers sign in by \`POST /session\` with \`{ token: string }\`, which sets a cookie, and out by \`DELETE /session\`. What goes wrong is answered with a \`Problem\` and the status of its kind.`,
    ...[...byTag].flatMap(([tag, operations]) => [`## ${tag}`, ...operations]),
    '## Shapes',
    ...schemas.map(([name, schema]) => `### ${name}\n\n\`\`\`ts\n${typeOf(schema, '')}\n\`\`\``),
  ]
    .join('\n\n')
    .concat('\n')
}

function renderOperation(method: string, path: string, operation: OperationObject): string {
  const parts = [
    `### ${method.toUpperCase()} ${path.slice(apiPrefix.length)}`,
    `${operation.summary ?? ''} (\`${operation.operationId}\`)`,
  ]
  const queries = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query')
  if (queries.length > 0)
    parts.push(
      queries
        .map(
          ({ name, required, schema }) => `- \`?${name}=\` ${inline(schema)}${required ? ', required' : ''}`,
        )
        .join('\n'),
    )
  const body = Object.values(operation.requestBody?.content ?? {})[0]?.schema
  if (body) parts.push(`Body${operation.requestBody?.required ? '' : ' (may be left out)'}: ${inline(body)}`)
  for (const [status, { description, content }] of Object.entries(operation.responses)) {
    if (status === 'default') continue
    const [type, media] = Object.entries(content ?? {})[0] ?? []
    parts.push(
      media
        ? `${status}, \`${type}\`: ${inline(media.schema)}${description === 'OK' ? '' : `. ${description}.`}`
        : `${status}: ${description}`,
    )
  }
  return parts.join('\n\n')
}

const inline = (schema: Schema | undefined) => `\`${typeOf(schema ?? {}, undefined)}\``

/** A schema in TypeScript's notation; with an indent it goes over several lines. */
function typeOf(schema: Schema, indent: string | undefined): string {
  if (schema.$ref) return schema.$ref.split('/').at(-1)!
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return choices.map((choice) => typeOf(choice, undefined)).join(' | ')
  if (schema.allOf) return schema.allOf.map((part) => typeOf(part, undefined)).join(' & ')
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.type === 'array') {
    const item = typeOf(schema.items ?? {}, undefined)
    return item.includes(' | ') ? `Array<${item}>` : `${item}[]`
  }
  if (schema.properties) return objectType(schema, indent)
  if (typeof schema.additionalProperties === 'object')
    return `Record<string, ${typeOf(schema.additionalProperties, undefined)}>`
  if (schema.type === 'integer') return 'number'
  return Array.isArray(schema.type) ? schema.type.join(' | ') : (schema.type ?? 'unknown')
}

function objectType({ properties = {}, required = [] }: Schema, indent: string | undefined): string {
  const fields = Object.entries(properties).map(
    ([name, field]) => `${name}${required.includes(name) ? '' : '?'}: ${typeOf(field, undefined)}`,
  )
  if (indent === undefined) return `{ ${fields.join('; ')} }`
  return `{\n${fields.map((field) => `${indent}  ${field}\n`).join('')}${indent}}`
}
