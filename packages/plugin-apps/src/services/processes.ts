import { randomBytes } from 'node:crypto'
import {
  conflict,
  invalid,
  type OnLine,
  type Processes,
  type ProcessReport,
  postScaleUpdate,
  type Workload,
} from '@kernel/contracts'
import { type Deployer, same } from '../deployer.ts'
import type { Deploys } from '../deploys.ts'
import { processTypePattern } from '../names.ts'
import { processName } from '../pipeline/check.ts'
import type { HealthWatch } from '../pipeline/health.ts'
import { type Slot, slotsOf } from '../pipeline/launch.ts'
import { createOutput } from '../pipeline/output.ts'
import { scaleFor } from '../pipeline/release.ts'
import { liveWorkloads } from '../pipeline/routes.ts'
import { type Floor, transition } from '../pipeline/transition.ts'
import { announce, callAfterwards } from '../platform.ts'
import type { AppQueue, Work } from '../queue.ts'
import { processTypes } from '../source/procfile.ts'
import type { AppRecord, LiveProcess, ReleaseRecord } from '../store/records.ts'
import { createSessions } from './sessions.ts'
import { stateOf } from './state.ts'

/** More processes of one type than a single machine has any use for. */
const mostProcesses = 100
/** Seconds that requests under way get when an app is stopped; new ones are refused by then. */
const stopDrainSec = 10

export function createProcesses(
  floor: Floor,
  queue: AppQueue,
  deployer: Deployer,
  deploys: Deploys,
  health: HealthWatch,
): Processes {
  const { platform, routes, retirer, monitor } = floor
  const { store } = platform

  function currentOf(app: AppRecord): ReleaseRecord {
    if (app.current === undefined)
      throw conflict(`${app.name} has not been deployed yet`, { hint: 'Push a commit to it first.' })
    return store.release(app.name, app.current)
  }

  /** Starts and retires processes of the current release. */
  async function replace(
    app: AppRecord,
    change: { start: Slot[]; keep: LiveProcess[]; commit(live: LiveProcess[]): void },
    signal: AbortSignal,
    onLine: OnLine = () => {},
  ): Promise<void> {
    const release = currentOf(app)
    await transition(floor, {
      app,
      release,
      ...change,
      suffix: `${release.id}.${randomBytes(2).toString('hex')}`,
      output: createOutput(onLine),
      signal,
      stage: (_, work) => work(),
    })
  }

  /** Starts everything anew; with a changed config as a new release. */
  async function startAll(app: AppRecord, why: string, signal: AbortSignal, work: Work, onLine?: OnLine) {
    const { name } = app
    if (deployer.isOutdated(app)) {
      await deployer.reconfigure(name, same, `${why} with the changed config`, signal, onLine, work)
      return
    }
    const { procfile } = currentOf(app)
    const start = slotsOf(procfile, scaleFor(app, procfile))
    const commit = (live: LiveProcess[]) =>
      void store.changeApp(name, (record) => {
        record.live = live
        record.stopped = false
      })
    await replace(app, { start, keep: [], commit }, signal, onLine)
  }

  return {
    ...createSessions(platform),

    async report(name) {
      const app = store.app(name)
      const workloads = await liveWorkloads(platform, app)
      const scale = app.current === undefined ? app.scale : scaleFor(app, currentOf(app).procfile)
      // What came back from the freezer was started as another release, and is this one now.
      const processes = workloads
        .map((workload) => {
          const restarts = app.live.find(({ id }) => id === workload.id)?.restarts ?? 0
          const notReady = health.notReady(workload.id)
          return {
            ...reportOf(workload),
            restarts: workload.restartCount + restarts,
            release: app.current ?? workload.releaseId,
            ...(notReady !== undefined && { notReady }),
          }
        })
        .sort((a, b) => byName(a, b))
      return {
        app: name,
        state: stateOf(app, workloads, deploys.runningOf(name) !== undefined),
        scale,
        processes,
      }
    },

    async scale(name, counts, onLine) {
      return queue.run(name, { label: `scaling of ${name}` }, async (signal) => {
        const app = store.app(name)
        const release = app.current === undefined ? undefined : currentOf(app)
        checkCounts(counts, release)
        const scale = { ...app.scale, ...counts }
        const write = (live: LiveProcess[]) =>
          store.transaction(() => {
            store.changeApp(name, (record) => {
              record.scale = scale
              record.live = live
            })
            // A rollback to this release brings back what it was scaled to last.
            if (release)
              store.putRelease({ ...release, scale: scaleFor({ ...app, scale }, release.procfile) })
          })
        if (release === undefined || app.stopped) write(app.live)
        else {
          const wanted = slotsOf(release.procfile, scaleFor({ ...app, scale }, release.procfile))
          const workloads = await liveWorkloads(platform, app)
          const alive = (id: string) => workloads.some((w) => w.id === id && w.status !== 'exited')
          const keep = app.live.filter((live) => alive(live.id) && wanted.some((slot) => isSame(slot, live)))
          const start = wanted.filter((slot) => !keep.some((live) => isSame(slot, live)))
          onLine?.({ kind: 'step', text: `Scaling ${name} to ${countsText(counts)}` })
          await replace({ ...app, scale }, { start, keep, commit: write }, signal, onLine)
        }
        announce(platform, 'app', 'scale', name, { scale: countsText(scale) })
        const call = () => platform.call(postScaleUpdate, { app: name, scale })
        await callAfterwards(platform, call, `${name} is scaled`, onLine)
        return release ? scaleFor({ ...app, scale }, release.procfile) : scale
      })
    },

    async restart(name, { type } = {}, onLine) {
      const work: Work = { label: `a restart of ${name}` }
      await queue.run(name, work, async (signal) => {
        const app = store.app(name)
        const { procfile } = currentOf(app)
        if (type !== undefined) assertType(type, procfile)
        onLine?.({ kind: 'step', text: `Restarting ${type ?? name}` })
        if (type === undefined || app.stopped) await startAll(app, 'Restart', signal, work, onLine)
        else {
          const start = slotsOf(procfile, scaleFor(app, procfile)).filter((slot) => slot.type === type)
          const keep = app.live.filter((live) => live.type !== type)
          const commit = (live: LiveProcess[]) =>
            void store.changeApp(name, (record) => {
              record.live = live
            })
          await replace(app, { start, keep, commit }, signal, onLine)
        }
        announce(platform, 'app', 'restart', name)
      })
    },

    async stop(name, onLine) {
      await queue.run(name, { label: `stopping of ${name}` }, async () => {
        const app = store.app(name)
        currentOf(app)
        onLine?.({ kind: 'step', text: `Stopping ${name}` })
        const old = await liveWorkloads(platform, app)
        const stopped = (record: AppRecord) => {
          record.stopped = true
          record.live = []
          record.frozen = []
        }
        await routes.switch(name, [], () => store.changeApp(name, stopped))
        monitor.watch(name)
        await retirer.endAll(name, [...old, ...(await retirer.evicted(app))], stopDrainSec)
        announce(platform, 'app', 'stop', name)
      })
    },

    async start(name, onLine) {
      const work: Work = { label: `a start of ${name}` }
      await queue.run(name, work, async (signal) => {
        const app = store.app(name)
        currentOf(app)
        const workloads = await liveWorkloads(platform, app)
        if (!app.stopped && stateOf(app, workloads, false) === 'running') {
          onLine?.({ kind: 'step', text: `${name} runs already` })
          return
        }
        onLine?.({ kind: 'step', text: `Starting ${name}` })
        await startAll(app, 'Start', signal, work, onLine)
        announce(platform, 'app', 'start', name)
      })
    },

    async rebuild(name, options = {}, onLine) {
      await deployer.rebuild(name, options, onLine)
    },
  }
}

const isSame = (slot: Slot, live: LiveProcess) => slot.type === live.type && slot.index === live.index

const countsText = (counts: Record<string, number>) =>
  Object.entries(counts)
    .map(([type, count]) => `${type}=${count}`)
    .join(' ')

function assertType(type: string, procfile: Record<string, string>): void {
  const types = processTypes(procfile)
  if (types.includes(type)) return
  throw invalid(`There is no process type ${JSON.stringify(type)}`, { hint: `There is: ${types.join(', ')}` })
}

function checkCounts(counts: Record<string, number>, release: ReleaseRecord | undefined): void {
  for (const [type, count] of Object.entries(counts)) {
    if (release) assertType(type, release.procfile)
    else if (!processTypePattern.test(type) || type === 'release')
      throw invalid(`${JSON.stringify(type)} is no process type`)
    if (!Number.isInteger(count) || count < 0 || count > mostProcesses)
      throw invalid(`${type} can be scaled to a whole number from 0 to ${mostProcesses}, not ${count}`)
  }
}

const byName = (a: ProcessReport, b: ProcessReport) =>
  Number(b.type === 'web') - Number(a.type === 'web') || a.type.localeCompare(b.type) || a.index - b.index

function reportOf(workload: Workload): ProcessReport {
  const { id, processType, index, releaseId, status, startedAt, exitCode, restartCount, address } = workload
  return {
    name: processName(workload),
    type: processType,
    index,
    workloadId: id,
    release: releaseId,
    status,
    startedAt,
    ...(exitCode !== undefined && { exitCode }),
    restarts: restartCount,
    ...(address && { address: `${address.host}:${address.port}` }),
  }
}
