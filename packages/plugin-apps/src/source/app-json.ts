/** app.json, as far as the platform acts on it (Dokku's appendix "app.json"). @module */
import { invalid } from '@kernel/contracts'
import { z } from 'zod'
import { processTypePattern } from '../names.ts'

const seconds = z.number().min(0).max(86_400)
/** A line for the shell, or argv. */
const commandSchema = z.union([
  z
    .string()
    .min(1)
    .transform((line) => ['/bin/sh', '-c', line]),
  z.array(z.string()).min(1),
])
const healthcheckSchema = z.looseObject({
  name: z.string().optional(),
  /**
   * `startup` and `readiness` decide about a deploy. While a process runs, `readiness` takes it out of the routes
   * and back, and `liveness` has it started again.
   */
  type: z.enum(['startup', 'readiness', 'liveness']).default('startup'),
  path: z.string().startsWith('/').optional(),
  scheme: z.enum(['http', 'https']).optional(),
  httpHeaders: z
    .array(z.looseObject({ name: z.string().regex(/^[\w!#$%&'*+.^`|~-]+$/), value: z.string() }))
    .optional(),
  /** Absent: the port of the process. */
  port: z.number().int().min(1).max(65535).optional(),
  /** Run in the container; exit code 0 passes. */
  command: commandSchema.optional(),
  /** The port has to answer. */
  listening: z.boolean().optional(),
  /** Seconds that the process has to stay up. */
  uptime: seconds.optional(),
  /** Text that the answer has to contain. */
  content: z.string().optional(),
  /** Tries; absent: at a start until the timeout of the app's checks, later 3. */
  attempts: z.number().int().min(1).max(1000).optional(),
  /** Seconds between tries; absent: short ones at a start, later 5. */
  wait: seconds.optional(),
  /** Seconds of one try. */
  timeout: seconds.optional(),
  /** Seconds before the first try. */
  initialDelay: seconds.optional(),
  /** Its failure is told, and decides nothing. */
  warn: z.boolean().optional(),
  /** What is done where it has failed: a command in the process's container, a POST. */
  onFailure: z
    .looseObject({
      command: commandSchema.optional(),
      url: z.url({ protocol: /^https?$/ }).optional(),
    })
    .optional(),
})
export type Healthcheck = z.output<typeof healthcheckSchema>

const variableSchema = z.union([
  z.string().transform((value) => ({ value })),
  z.looseObject({
    description: z.string().optional(),
    value: z.union([z.string(), z.number().transform(String), z.boolean().transform(String)]).optional(),
    required: z.boolean().optional(),
    generator: z.literal('secret').optional(),
  }),
])
export interface Variable {
  value?: string
  required?: boolean
  generator?: 'secret'
}

const processType = z.string().regex(processTypePattern, 'is no process type')
const appJsonSchema = z.looseObject({
  env: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is no name for a variable'), variableSchema)
    .default({}),
  formation: z
    .record(processType, z.looseObject({ quantity: z.number().int().min(0).max(1000).optional() }))
    .default({}),
  healthchecks: z.record(processType, z.array(healthcheckSchema)).default({}),
  scripts: z
    .looseObject({
      dokku: z
        .looseObject({ predeploy: z.string().optional(), postdeploy: z.string().optional() })
        .default({}),
      /** After the first deploy's release tasks, once. */
      postdeploy: z.string().optional(),
    })
    .default({ dokku: {} }),
})

export interface AppJson {
  env: Record<string, Variable>
  formation: Record<string, { quantity?: number }>
  healthchecks: Record<string, Healthcheck[]>
  scripts: { dokku: { predeploy?: string; postdeploy?: string }; postdeploy?: string }
}

/** @throws invalid `Invalid app.json`, with every place that is wrong */
export function parseAppJson(text: string | undefined): AppJson {
  let value: unknown = {}
  try {
    if (text !== undefined) value = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch (error) {
    throw invalid(`Invalid app.json: ${(error as Error).message}`, { cause: error })
  }
  const { success, data, error } = appJsonSchema.safeParse(value)
  if (success) return data
  const wrong = error.issues.map((issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`)
  throw invalid(`Invalid app.json: ${wrong.join('; ')}`)
}
