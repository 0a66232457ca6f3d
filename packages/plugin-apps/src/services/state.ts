/** The state of an app, from its record and what the scheduler sees. @module */
import type { AppState, AppSummary, Workload } from '@kernel/contracts'
import type { Deploys } from '../deploys.ts'
import { effectiveDomains, urlsOf } from '../domain-names.ts'
import { hasWeb, liveWorkloads } from '../pipeline/routes.ts'
import type { Platform } from '../platform.ts'
import type { AppRecord } from '../store/records.ts'

/** `crashed`: a process that should run does not, and is of `web` or of an app that has none. */
export function stateOf(app: AppRecord, live: Workload[], deploying: boolean): AppState {
  if (deploying) return 'deploying'
  if (app.current === undefined) return 'created'
  if (app.stopped) return 'stopped'
  const wanted = app.live.filter(({ type }) => type === 'web')
  const judged = wanted.length > 0 ? wanted : app.live
  const runs = (id: string) => live.some((workload) => workload.id === id && workload.status === 'running')
  return judged.every(({ id }) => runs(id)) ? 'running' : 'crashed'
}

export async function summaryOf(platform: Platform, deploys: Deploys, app: AppRecord): Promise<AppSummary> {
  const live = await liveWorkloads(platform, app)
  const deploy = deploys.runningOf(app.name)
  const processes: Record<string, number> = {}
  for (const { processType, status } of live)
    if (status === 'running') processes[processType] = (processes[processType] ?? 0) + 1
  const release = app.current === undefined ? undefined : platform.store.findRelease(app.name, app.current)
  const serves = release !== undefined && hasWeb(release.procfile)
  return {
    name: app.name,
    state: stateOf(app, live, deploy !== undefined),
    urls: serves ? await urlsOf(app.name, effectiveDomains(app, platform), platform) : [],
    ...(app.current !== undefined && { release: app.current }),
    created: app.created,
    ...(app.deployed !== undefined && { deployed: app.deployed }),
    processes,
    ...(deploy && { deploy: deploy.id }),
    locked: app.locked,
  }
}
