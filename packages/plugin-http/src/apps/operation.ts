import { z } from '@hono/zod-openapi'
import type { ApiAnswer, RunningCommand } from '@kernel/contracts'

/** What path parameters there are in the API's paths; an operation reads those that its path has. */
export interface PathParameters {
  app: string
  key: string
  release: string
  deploy: string
  token: string
  page: string
  user: string
}

/** One call of an operation, checked against its schemas. */
export interface Call<Body, Query> {
  params: PathParameters
  body: Body
  query: Query
  caller: string
  /** Aborts when the caller goes away or the daemon stops. */
  signal: AbortSignal
}

/** What an operation takes. */
interface Input<B extends z.ZodType, Q extends z.ZodObject> {
  body?: B
  query?: Q
}

interface Common {
  body?: z.ZodType
  query?: z.ZodObject
}
type AnyCall = Call<never, never>

export interface JsonOperation extends Common {
  answer: 'json'
  schema: z.ZodType
  run(call: AnyCall): Promise<unknown>
}
export interface EmptyOperation extends Common {
  answer: 'empty'
  run(call: AnyCall): Promise<void>
}
/** Writes lines while it works; its result is the last one. It goes on where the caller leaves. */
export interface WorkOperation extends Common {
  answer: 'lines'
  form: 'work'
  line: z.ZodType
  schema: z.ZodType
  run(call: AnyCall, write: (line: unknown) => void): Promise<unknown>
}
/** Hands out lines as they come, for as long as the caller listens. */
export interface FeedOperation extends Common {
  answer: 'lines'
  form: 'feed'
  line: z.ZodType
  run(call: AnyCall): AsyncIterable<unknown>
}
/** Joins the caller with a process. */
export interface StreamOperation extends Common {
  answer: 'stream'
  run(call: AnyCall): Promise<RunningCommand>
}
export type Operation = (JsonOperation | EmptyOperation | WorkOperation | FeedOperation | StreamOperation) & {
  answer: ApiAnswer
}

type None = z.ZodUndefined
type NoQuery = z.ZodObject<Record<never, never>>
type CallOf<B extends z.ZodType, Q extends z.ZodObject> = Call<z.output<B>, z.output<Q>>

export function json<S extends z.ZodType, B extends z.ZodType = None, Q extends z.ZodObject = NoQuery>(
  schema: S,
  input: Input<B, Q>,
  run: (call: CallOf<B, Q>) => Promise<z.output<S>>,
): JsonOperation {
  return { answer: 'json', schema, ...input, run }
}

export function empty<B extends z.ZodType = None, Q extends z.ZodObject = NoQuery>(
  input: Input<B, Q>,
  run: (call: CallOf<B, Q>) => Promise<void>,
): EmptyOperation {
  return { answer: 'empty', ...input, run }
}

export function work<
  L extends z.ZodType,
  S extends z.ZodType,
  B extends z.ZodType = None,
  Q extends z.ZodObject = NoQuery,
>(
  output: { line: L; result: S },
  input: Input<B, Q>,
  run: (call: CallOf<B, Q>, write: (line: z.output<L>) => void) => Promise<z.output<S>>,
): WorkOperation {
  return { answer: 'lines', form: 'work', line: output.line, schema: output.result, ...input, run }
}

export function feed<L extends z.ZodType, B extends z.ZodType = None, Q extends z.ZodObject = NoQuery>(
  line: L,
  input: Input<B, Q>,
  run: (call: CallOf<B, Q>) => AsyncIterable<unknown>,
): FeedOperation {
  return { answer: 'lines', form: 'feed', line, ...input, run }
}

export function stream<B extends z.ZodType = None, Q extends z.ZodObject = NoQuery>(
  input: Input<B, Q>,
  run: (call: CallOf<B, Q>) => Promise<RunningCommand>,
): StreamOperation {
  return { answer: 'stream', ...input, run }
}

/** The result of work that has none to tell. */
export const nothing = z.null()

/** `true`, `1` and the bare name are true. */
export const flag = z
  .string()
  .optional()
  .transform((text) => text !== undefined && !['0', 'false', 'no'].includes(text))
  .openapi({ type: 'boolean' })

export const whole = z
  .string()
  .regex(/^\d{1,9}$/, 'must be a whole number')
  .optional()
  .transform((text) => (text === undefined ? undefined : Number(text)))
  .openapi({ type: 'integer' })
