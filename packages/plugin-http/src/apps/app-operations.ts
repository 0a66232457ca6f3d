import { z } from '@hono/zod-openapi'
import { empty, json, work } from './operation.ts'
import { appReport, appSummary, builderReport, checkSettings, deployLine } from './schema.ts'
import type { ApiServices } from './services.ts'

const domainList = z.array(z.string().min(1).max(253))
const value = z.object({ value: z.string() })

/** Apps and their settings: what changes no process by itself. */
export function appOperations({ apps, config, domains, builders, checks }: ApiServices) {
  return {
    appsList: json(z.array(appSummary), {}, () => apps.list()),
    appsCreate: json(appSummary, { body: z.object({ name: z.string() }) }, ({ body }) =>
      apps.create(body.name),
    ),
    appsReport: json(appReport, {}, ({ params }) => apps.report(params.app)),
    appsDestroy: empty({}, ({ params }) => apps.destroy(params.app)),
    appsRename: empty({ body: z.object({ name: z.string() }) }, ({ params, body }) =>
      apps.rename(params.app, body.name),
    ),
    appsSet: empty({ body: value }, ({ params, body }) => apps.set(params.app, params.key, body.value)),
    appsLock: empty({}, ({ params }) => apps.lock(params.app)),
    appsUnlock: empty({}, ({ params }) => apps.unlock(params.app)),

    configShow: json(z.record(z.string(), z.string()), {}, ({ params }) => config.all(params.app)),
    configUpdate: work(
      { line: deployLine, result: z.record(z.string(), z.string()) },
      {
        body: z.object({
          set: z.record(z.string(), z.string()).optional(),
          unset: z.array(z.string()).optional(),
          restart: z.boolean().optional(),
        }),
      },
      ({ params, body }, write) => config.update(params.app, body, write),
    ),

    domainsReport: json(
      z.object({ domains: z.array(z.string()), urls: z.array(z.string()) }),
      {},
      ({ params }) => domains.list(params.app),
    ),
    domainsAdd: empty({ body: z.object({ domains: domainList.min(1) }) }, ({ params, body }) =>
      domains.add(params.app, body.domains),
    ),
    domainsSet: empty({ body: z.object({ domains: domainList }) }, ({ params, body }) =>
      body.domains.length === 0 ? domains.reset(params.app) : domains.set(params.app, body.domains),
    ),
    domainsRemove: empty(
      { query: z.object({ domain: z.union([z.string().transform((one) => [one]), domainList]) }) },
      ({ params, query }) => domains.remove(params.app, query.domain),
    ),
    domainsGlobal: json(z.array(z.string()), {}, () => domains.global()),
    domainsSetGlobal: empty({ body: z.object({ domains: domainList }) }, ({ body }) =>
      domains.setGlobal(body.domains),
    ),

    buildersReport: json(builderReport, {}, ({ params }) => builders.report(params.app)),
    buildersSet: empty({ body: value }, ({ params, body }) =>
      builders.set(params.app, params.key, body.value),
    ),

    checksReport: json(checkSettings, {}, ({ params }) => checks.report(params.app)),
    checksSet: empty({ body: value }, ({ params, body }) => checks.set(params.app, params.key, body.value)),
    checksEnable: empty({}, ({ params }) => checks.enable(params.app)),
    checksDisable: empty({}, ({ params }) => checks.disable(params.app)),
    checksRun: work(
      { line: deployLine, result: z.object({ passed: z.boolean() }) },
      {},
      ({ params }, write) => checks.run(params.app, write),
    ),
  }
}
