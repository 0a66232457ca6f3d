/**
 * The one way in which an app's processes change: start what is new, check it, switch the routes once, write
 * the records, retire what is old. Deploy, rollback, config change, restart and scale are all this.
 * @module
 */
import { corePostDeploy, type DeployOutput, type DeployStage, failed, type Workload } from '@kernel/contracts'
import type { Platform } from '../platform.ts'
import type { AppRecord, LiveProcess, ReleaseRecord } from '../store/records.ts'
import { checkSettings, processName } from './check.ts'
import { discard, launch, type Slot } from './launch.ts'
import type { Monitor } from './monitor.ts'
import type { Retirer } from './retire.ts'
import { liveWorkloads, type RoutePublisher } from './routes.ts'

export interface Transition {
  /** As it will be: its domains and its checks count. */
  app: AppRecord
  release: ReleaseRecord
  start: Slot[]
  /** Live processes that stay. */
  keep: LiveProcess[]
  suffix: string
  output: DeployOutput
  signal: AbortSignal
  stage<T>(stage: DeployStage, work: () => Promise<T>): Promise<T>
  /** Writes the records in one transaction, with the live processes given. Nothing can be cancelled after it. */
  commit(live: LiveProcess[]): void
  /** The old are gone. */
  retired?(ms: number): unknown
}

export interface Floor {
  platform: Platform
  routes: RoutePublisher
  retirer: Retirer
  monitor: Monitor
}

/** @throws failed with everything as it was before */
export async function transition(floor: Floor, change: Transition): Promise<void> {
  const { platform, routes, retirer, monitor } = floor
  const { app, release, keep, output, signal, stage, commit } = change
  const before = platform.store.app(app.name)
  const kept = (await liveWorkloads(platform, { ...app, live: keep })).filter(
    ({ status }) => status === 'running',
  )
  const hostHeader = routes.domains(app).find((domain) => !domain.startsWith('*')) ?? app.name
  const started = await launch(platform, {
    app,
    release,
    slots: change.start,
    suffix: change.suffix,
    hostHeader,
    output,
    signal,
    stage,
  })
  const live: LiveProcess[] = [
    ...keep,
    ...started.map(({ id, processType: type, index }) => ({ id, type, index })),
  ]
  try {
    await stage('switch', async () => {
      await platform.call(corePostDeploy, { app: app.name, releaseId: release.id, output })
      signal.throwIfAborted()
      const fresh = await stillRunning(platform, started)
      await routes.switch(app.name, [...kept, ...fresh], () => commit(live))
    })
  } catch (error) {
    await discard(platform, started)
    throw error
  }
  monitor.watch(app.name)
  const old = await liveWorkloads(platform, {
    ...before,
    live: before.live.filter(({ id }) => !keep.some((stays) => stays.id === id)),
  })
  const begun = performance.now()
  retirer.retire(app.name, old, checkSettings(app, platform.settings).waitToRetire, () =>
    change.retired?.(performance.now() - begun),
  )
}

/** A process can die between its check and the switch; then it is no target. */
async function stillRunning({ scheduler }: Platform, workloads: Workload[]): Promise<Workload[]> {
  const now = await Promise.all(workloads.map(({ id }) => scheduler.inspect(id)))
  const dead = now.find(({ status }) => status !== 'running')
  if (dead)
    throw failed(
      `${processName(dead)} exited${dead.exitCode === undefined ? '' : ` with code ${dead.exitCode}`} before the switch`,
    )
  return now
}
