/**
 * The one way in which an app's processes change: start what is new, check it, switch the routes once, write
 * the records, retire what is old. Deploy, rollback, config change, restart and scale are all this.
 * @module
 */
import { corePostDeploy, type DeployOutput, type DeployStage, failed, type Workload } from '@kernel/contracts'
import type { Platform } from '../platform.ts'
import type { AppRecord, FrozenRelease, LiveProcess, ReleaseRecord } from '../store/records.ts'
import { checkSettings, hostHeaderOf, processName } from './check.ts'
import type { Freezer } from './freezer.ts'
import { discard, type Launch, launch, type Slot } from './launch.ts'
import type { Monitor } from './monitor.ts'
import type { Retirer } from './retire.ts'
import { liveWorkloads, type RoutePublisher, targetsOf } from './routes.ts'
import { layBack, NotWoken, wake } from './wake.ts'

export interface Transition {
  /** As it will be: its domains and its checks count. */
  app: AppRecord
  release: ReleaseRecord
  start: Slot[]
  /** Instead of `start`: what stands in the freezer; `only`: with no start where it does not come back. */
  thaw?: { frozen: FrozenRelease; only: boolean }
  /** Whether the release has served before, so that it has shown that it comes up. */
  returns?: boolean
  /** Live processes that stay. */
  keep: LiveProcess[]
  suffix: string
  output: DeployOutput
  signal: AbortSignal
  stage<T>(stage: DeployStage, work: () => Promise<T>): Promise<T>
  /**
   * Writes the records in one transaction, with the live processes given. Nothing can be cancelled after it.
   * `parting` are the processes that were live until now and do not stay; `thawed` is the release that came back
   * from the freezer.
   */
  commit(live: LiveProcess[], parting: Workload[], thawed?: string): void
  /** The old are gone. */
  retired?(ms: number): unknown
}

export interface Floor {
  platform: Platform
  routes: RoutePublisher
  retirer: Retirer
  freezer: Freezer
  monitor: Monitor
}

/** @throws failed with everything as it was before */
export async function transition(floor: Floor, change: Transition): Promise<void> {
  const stopHolding = await holdRequests(floor, change)
  try {
    await bring(floor, change)
  } finally {
    await stopHolding()
  }
}

/** Where nothing serves, as with an app that was stopped or has crashed, requests wait for what is being started. */
async function holdRequests({ platform, routes }: Floor, { app, start, thaw }: Transition) {
  const { store, log } = platform
  const { name } = app
  const before = store.app(name)
  const serves = targetsOf(await liveWorkloads(platform, before)).length > 0
  const brings = (thaw?.frozen.processes ?? start).some(({ type }) => type === 'web')
  if (serves || !brings || before.current === undefined) return async () => {}
  const refresh = () =>
    routes
      .refresh(name)
      .catch((error) => log.warn(`The routes of ${name} could not be refreshed`, { app: name, error }))
  routes.setComing(name, true)
  await refresh()
  return async () => {
    routes.setComing(name, false)
    await refresh()
  }
}

/** From the freezer where that is wanted and works, else by new processes. */
async function bring(floor: Floor, change: Transition): Promise<void> {
  const { freezer } = floor
  const { app, thaw, output, signal } = change
  if (thaw) {
    try {
      return await freezer.exclusively(app.name, () =>
        exchange(floor, change, {
          arrive: (request) => wake(floor.platform, freezer, request, thaw.frozen),
          takeBack: () => layBack(floor.platform, thaw.frozen),
          thawed: thaw.frozen.release,
        }),
      )
    } catch (error) {
      if (!(error instanceof NotWoken) || thaw.only) throw error
      signal.throwIfAborted()
      output.error(`${error.message}; it is started anew`)
    }
  }
  await exchange(floor, change, {
    arrive: (request) => launch(floor.platform, { ...request, slots: change.start, suffix: change.suffix }),
    takeBack: (started) => discard(floor.platform, started),
    // What did not come back has no use any more.
    ...(thaw && { thawed: thaw.frozen.release }),
  })
}

/** Where the new processes come from, and where they go if they are not wanted. */
interface Arrival {
  arrive(request: Omit<Launch, 'slots' | 'suffix'>): Promise<Workload[]>
  takeBack(arrived: Workload[]): Promise<void>
  /** The release that leaves the freezer. */
  thawed?: string
}

async function exchange(
  floor: Floor,
  change: Transition,
  { arrive, takeBack, thawed }: Arrival,
): Promise<void> {
  const { platform, routes, retirer, monitor } = floor
  const { app, release, keep, output, signal, stage, commit, returns } = change
  const before = platform.store.app(app.name)
  const kept = (await liveWorkloads(platform, { ...app, live: keep })).filter(
    ({ status }) => status === 'running',
  )
  const hostHeader = hostHeaderOf(routes.domains(app), app.name)
  const started = await arrive({ app, release, hostHeader, output, signal, stage, returns })
  const arrived = started.map(({ id, processType: type, index }) => ({ id, type, index }))
  const isKept = ({ id }: LiveProcess) => keep.some((stays) => stays.id === id)
  const leaving = before.live.filter((process) => !isKept(process))
  let old: Workload[]
  try {
    old = await stage('switch', async () => {
      await platform.call(corePostDeploy, { app: app.name, releaseId: release.id, output })
      signal.throwIfAborted()
      const parting = await liveWorkloads(platform, { ...before, live: leaving })
      const fresh = await stillRunning(platform, started)
      await routes.switch(app.name, [...kept, ...fresh], () => {
        // What stays is taken as it is by now: its health may have been noted meanwhile.
        const { live } = platform.store.app(app.name)
        commit([...live.filter(isKept), ...arrived], parting, thawed)
      })
      return parting
    })
  } catch (error) {
    await takeBack(started)
    throw error
  }
  monitor.watch(app.name)
  const begun = performance.now()
  const { waitToRetire } = checkSettings(app, platform.settings)
  retirer.retire(app.name, old, before, waitToRetire, () => change.retired?.(performance.now() - begun))
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
