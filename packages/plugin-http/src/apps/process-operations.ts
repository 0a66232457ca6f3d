import { z } from '@hono/zod-openapi'
import { parseTime } from '../times.ts'
import { empty, feed, flag, json, nothing, stream, whole, work } from './operation.ts'
import { deployInfo, deployLine, logLine, processesReport, releaseInfo } from './schema.ts'
import type { ApiServices } from './services.ts'

const done = { line: deployLine, result: nothing }

/** A query that holds JSON, as the streams have it: their request has no body. */
function jsonQuery<S extends z.ZodType>(schema: S) {
  return z
    .string()
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown
      } catch {
        context.issues.push({ code: 'custom', message: 'must be JSON', input: text })
        return z.NEVER
      }
    })
    .pipe(schema)
    .openapi({ type: 'string', description: 'JSON' })
}

const terminal = {
  command: jsonQuery(z.array(z.string()).min(1)),
  tty: flag,
  stdin: flag,
  rows: whole,
  columns: whole,
}

/** Processes, releases, deploys, and what they write. */
export function processOperations({ processes, releases, deploys, logs }: ApiServices) {
  return {
    psReport: json(processesReport, {}, ({ params }) => processes.report(params.app)),
    psScale: work(
      { line: deployLine, result: z.record(z.string(), z.int()) },
      { body: z.object({ counts: z.record(z.string(), z.int().min(0)) }) },
      ({ params, body }, write) => processes.scale(params.app, body.counts, write),
    ),
    psRestart: work(
      done,
      { body: z.object({ type: z.string().optional() }).optional() },
      async ({ params, body }, write) => {
        await processes.restart(params.app, body?.type === undefined ? {} : { type: body.type }, write)
        return null
      },
    ),
    psStop: work(done, {}, async ({ params }, write) => {
      await processes.stop(params.app, write)
      return null
    }),
    psStart: work(done, {}, async ({ params }, write) => {
      await processes.start(params.app, write)
      return null
    }),
    psRebuild: work(
      done,
      { body: z.object({ noCache: z.boolean().optional() }).optional() },
      async ({ params, body }, write) => {
        await processes.rebuild(params.app, { noCache: body?.noCache ?? false }, write)
        return null
      },
    ),
    run: stream(
      { query: z.object({ ...terminal, env: jsonQuery(z.record(z.string(), z.string())).optional() }) },
      ({ params, query }) => processes.run(params.app, query),
    ),
    enter: stream({ query: z.object({ ...terminal, process: z.string().optional() }) }, ({ params, query }) =>
      processes.enter(params.app, query),
    ),

    releasesList: json(z.array(releaseInfo), {}, ({ params }) => releases.list(params.app)),
    releasesInspect: json(releaseInfo, {}, ({ params }) => releases.inspect(params.app, params.release)),
    releasesRollback: work(
      { line: deployLine, result: releaseInfo },
      { body: z.object({ release: z.string().optional(), frozen: z.boolean().optional() }).optional() },
      ({ params, body: { release, ...options } = {} }, write) =>
        releases.rollback(params.app, release, options, write),
    ),

    deploysRecent: json(z.array(deployInfo), { query: z.object({ limit: whole }) }, ({ query }) =>
      deploys.list(undefined, query.limit === undefined ? {} : { limit: query.limit }),
    ),
    deploysPrune: json(
      z.object({ removed: z.int() }),
      { query: z.object({ keep: whole }) },
      ({ params, query }) => deploys.prune(params.app, query.keep),
    ),
    deploysList: json(z.array(deployInfo), { query: z.object({ limit: whole }) }, ({ params, query }) =>
      deploys.list(params.app, query.limit === undefined ? {} : { limit: query.limit }),
    ),
    deploysInspect: json(deployInfo, {}, ({ params }) => deploys.inspect(params.deploy)),
    deploysOutput: feed(
      deployLine.extend({ time: z.string() }),
      { query: z.object({ follow: flag }) },
      ({ params, query, signal }) => deploys.output(params.deploy, { follow: query.follow, signal }),
    ),
    // On the socket of the machine the caller has no name but the one it gives.
    deploysCancel: empty(
      { query: z.object({ by: z.string().max(100).optional() }) },
      ({ params, query, caller }) => deploys.cancel(params.deploy, caller === 'local' ? query.by : caller),
    ),

    logs: feed(
      logLine,
      {
        query: z.object({
          process: z.string().optional(),
          tail: whole,
          follow: flag,
          since: z.string().optional(),
        }),
      },
      async function* readLogs({ params, query, signal }) {
        const { tail, process, follow } = query
        const options = { follow, since: parseTime(query.since), signal, process, tail }
        for await (const { data, ...line } of logs.read(params.app, options))
          yield { ...line, data: Buffer.from(data).toString('utf8') }
      },
    ),
  }
}
