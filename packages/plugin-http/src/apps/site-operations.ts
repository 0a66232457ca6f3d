import { z } from '@hono/zod-openapi'
import { empty, json, work } from './operation.ts'
import { deployLine } from './schema.ts'
import type { ApiServices } from './services.ts'
import { acmeReport, certificateReport, sitePages, siteRedirect, siteReport } from './site-schema.ts'

const value = z.object({ value: z.string() })

/** What stands at an app's front door. */
export function siteOperations({ sites, certificates, acme }: ApiServices) {
  return {
    siteReport: json(siteReport, {}, ({ params }) => sites.report(params.app)),
    siteSet: empty({ body: value }, ({ params, body }) => sites.set(params.app, params.key, body.value)),
    maintenanceEnable: empty({}, ({ params }) => sites.setMaintenance(params.app, true)),
    maintenanceDisable: empty({}, ({ params }) => sites.setMaintenance(params.app, false)),
    pagesReport: json(sitePages, {}, ({ params }) => sites.pages(params.app)),
    pagesSet: empty({ body: z.object({ html: z.string() }) }, ({ params, body }) =>
      sites.setPage(params.app, params.page, body.html),
    ),
    pagesClear: empty({}, ({ params }) => sites.setPage(params.app, params.page)),
    redirectsSet: empty({ body: siteRedirect }, ({ params, body }) => sites.setRedirect(params.app, body)),
    redirectsRemove: empty({ query: z.object({ from: z.string().min(1) }) }, ({ params, query }) =>
      sites.removeRedirect(params.app, query.from),
    ),
    authEnable: empty({}, ({ params }) => sites.setAuth(params.app, true)),
    authDisable: empty({}, ({ params }) => sites.setAuth(params.app, false)),
    authSetUser: empty({ body: z.object({ password: z.string() }) }, ({ params, body }) =>
      sites.setUser(params.app, params.user, body.password),
    ),
    authRemoveUser: empty({}, ({ params }) => sites.removeUser(params.app, params.user)),

    certsList: json(z.array(certificateReport), {}, () => certificates.list()),
    certsReport: json(certificateReport, {}, ({ params }) => certificates.report(params.app)),
    certsSet: json(
      certificateReport,
      { body: z.object({ certificate: z.string(), key: z.string() }) },
      ({ params, body }) => certificates.set(params.app, body.certificate, body.key),
    ),
    certsRemove: empty({}, ({ params }) => certificates.remove(params.app)),
    certsGenerate: json(
      certificateReport,
      { body: z.object({ domains: z.array(z.string().min(1).max(253)).max(100) }) },
      ({ params, body }) => certificates.generate(params.app, body.domains),
    ),

    acmeList: json(z.array(acmeReport), {}, () => acme.list()),
    acmeEnable: work({ line: deployLine, result: acmeReport }, {}, ({ params }, write) =>
      acme.enable(params.app, write),
    ),
    acmeDisable: empty({}, ({ params }) => acme.disable(params.app)),
    acmeSet: empty({ body: value }, ({ params, body }) => acme.set(params.app, params.key, body.value)),
    acmeRenew: work(
      { line: deployLine, result: z.array(acmeReport) },
      { body: z.object({ app: z.string().optional() }) },
      ({ body }, write) => acme.renew(body.app, write),
    ),
    acmeRevoke: empty({}, ({ params }) => acme.revoke(params.app)),
  }
}
