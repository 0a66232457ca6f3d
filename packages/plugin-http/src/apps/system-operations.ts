import { z } from '@hono/zod-openapi'
import { parseTime } from '../times.ts'
import { feed, json, work } from './operation.ts'
import { engineEvent, ledgerEntry, pluginReport, progressMessage, systemInfo } from './schema.ts'
import type { ApiServices } from './services.ts'

/** The daemon as a whole. */
export function systemOperations(services: ApiServices) {
  const { events, baseImage, scheduler, router, http, keys, domains, facts } = services
  return {
    systemInfo: json(systemInfo, {}, async () => {
      const ssh = await keys.address()
      return {
        ...(await scheduler.describe()),
        ...facts,
        api: await http.addresses(),
        edge: await router.listeners(),
        ...(ssh && { ssh }),
        domains: await domains.global(),
      }
    }),
    systemPlugins: json(z.array(pluginReport), {}, async () => services.plugins()),
    systemLedger: json(z.array(ledgerEntry), {}, () => services.ledger()),
    systemEvents: feed(
      engineEvent,
      { query: z.object({ since: z.string().optional() }) },
      ({ query, signal }) => events.subscribe({ since: parseTime(query.since), signal }),
    ),
    baseBuild: work(
      {
        line: progressMessage,
        result: z.object({ id: z.string(), ref: z.string(), built: z.boolean(), size: z.number() }),
      },
      {},
      (_call, write) => baseImage.ensure((message) => write({ aux: undefined, ...message })),
    ),
  }
}
