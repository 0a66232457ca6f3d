/**
 * What a start finds, brought in line with the records: a kill at any moment leaves processes, trees and
 * artifacts that no record knows, or records whose processes are gone.
 * @module
 */
import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Workload } from '@kernel/contracts'
import { describeError } from '@kernel/kernel'
import { removeTree } from '@kernel/state'
import { pruneReleases, removeUnusedArtifact } from './artifacts.ts'
import type { Deploys } from './deploys.ts'
import { ignoreMissing } from './failure.ts'
import { buildDirPrefix } from './pipeline/build.ts'
import { discard, workloadSpec } from './pipeline/launch.ts'
import { liveName } from './pipeline/retire.ts'
import { liveWorkloads } from './pipeline/routes.ts'
import type { Floor } from './pipeline/transition.ts'
import type { AppQueue } from './queue.ts'
import type { Lifecycle } from './services/lifecycle.ts'
import { type AppRecord, isReleaseId, type LiveProcess } from './store/records.ts'

/**
 * Resolves when the routes of all that runs are published; requests to what has to be started again are held.
 * @returns `background`: starts and removals that go on; never rejects
 */
export async function reconcile(
  floor: Floor,
  queue: AppQueue,
  deploys: Deploys,
  lifecycle: Lifecycle,
): Promise<{ background: Promise<void> }> {
  const { platform, routes, monitor } = floor
  const { store, router, log } = platform
  const background: Array<Promise<unknown>> = []
  const later = (what: string, work: Promise<unknown>) =>
    background.push(work.catch((error) => log.error(`Could not ${what}: ${describeError(error)}`, { error })))

  const unfinished = endDeploys(floor, deploys)
  const leftovers = await unknownWorkloads(floor)
  later('remove processes of no release', discard(platform, leftovers))
  later('remove what was built for no release', removeArtifacts(floor, unfinished))
  later('remove source trees', removeTrees(platform.tmpDir))

  for (const app of store.listApps()) {
    if (app.destroying) {
      later(
        `finish the end of ${app.name}`,
        queue.run(app.name, { label: `the end of ${app.name}` }, () => lifecycle.finishDestroy(app.name)),
      )
      continue
    }
    if (app.current === undefined) continue
    const alive = await liveWorkloads(platform, app)
    const missing = app.live.filter(
      ({ id }) => !alive.some((one) => one.id === id && one.status !== 'exited'),
    )
    routes.setComing(
      app.name,
      missing.some(({ type }) => type === 'web'),
    )
    try {
      await routes.refresh(app.name)
    } catch (error) {
      log.error(`The routes of ${app.name} could not be published`, { app: app.name, error })
    }
    monitor.watch(app.name)
    if (missing.length > 0) later(`start ${app.name} again`, revive(floor, queue, app.name, leftovers))
    else later(`name the processes of ${app.name}`, nameProcesses(floor, app))
    later(`remove old releases of ${app.name}`, pruneReleases(platform, app.name))
  }
  await router.ready()
  return { background: Promise.all(background).then(() => {}) }
}

/** Deploys that were under way have failed. @returns what they had built */
function endDeploys({ platform: { store } }: Floor, deploys: Deploys): string[] {
  const artifacts: string[] = []
  for (const deploy of store.listDeploys()) {
    if (deploy.status !== 'waiting' && deploy.status !== 'running') continue
    const { artifact, ...record } = deploy
    if (artifact !== undefined) artifacts.push(artifact)
    store.putDeploy({
      ...record,
      status: 'failed',
      error: 'The daemon was stopped while the deploy ran',
      finished: new Date().toISOString(),
    })
    deploys.prune(deploy.app)
  }
  return artifacts
}

/** Neither live nor a one-off of a release that there is. */
async function unknownWorkloads({ platform: { store, scheduler } }: Floor): Promise<Workload[]> {
  const live = new Set(store.listApps().flatMap((app) => app.live.map(({ id }) => id)))
  return (await scheduler.list()).filter(
    ({ id, app, releaseId, oneOff }) =>
      !live.has(id) && isReleaseId(releaseId) && !(oneOff && store.findRelease(app, releaseId) !== undefined),
  )
}

/**
 * Of deploys that did not end, and of releases whose removal did not. Only the driver's list, where it has one,
 * knows what was built in the moment of the kill.
 */
async function removeArtifacts({ platform }: Floor, unfinished: string[]): Promise<void> {
  const { store, scheduler } = platform
  const pruned = store.allReleases().filter((release) => release.pruned)
  const listed = (await scheduler.listArtifacts?.()) ?? []
  for (const ref of new Set([...unfinished, ...pruned.map(({ artifact }) => artifact), ...listed]))
    if (await scheduler.hasArtifact(ref)) await removeUnusedArtifact(platform, ref)
}

async function removeTrees(tmpDir: string): Promise<void> {
  for (const name of await readdir(tmpDir))
    if (name.startsWith(buildDirPrefix)) await removeTree(join(tmpDir, name))
}

async function nameProcesses({ platform: { scheduler } }: Floor, app: AppRecord): Promise<void> {
  for (const live of app.live) {
    const name = liveName(app.name, live)
    const now = await scheduler.inspect(live.id)
    if (now.name !== name) await scheduler.rename(live.id, name).catch(ignoreMissing)
  }
}

/**
 * Starts what is gone. Unlike a deploy it keeps what it could start: after a power cut, some of an app is
 * better than nothing.
 */
async function revive(floor: Floor, queue: AppQueue, name: string, leftovers: Workload[]): Promise<void> {
  const { platform, routes, monitor } = floor
  const { store, log } = platform
  await queue.run(name, { label: `the start of ${name} after the daemon's` }, async () => {
    const app = store.app(name)
    try {
      const live = await Promise.all(
        app.live.map(async (process) => {
          try {
            return await reviveOne(floor, app, process, leftovers)
          } catch (error) {
            log.error(
              `${name} ${process.type}.${process.index} could not be started: ${describeError(error)}`,
              {
                app: name,
              },
            )
            return process
          }
        }),
      )
      store.changeApp(name, (record) => {
        record.live = live
      })
    } finally {
      monitor.watch(name)
      await monitor.settled(name)
      routes.setComing(name, false)
      await routes.refresh(name)
    }
  })
}

async function reviveOne(
  { platform, monitor }: Floor,
  app: AppRecord,
  process: LiveProcess,
  leftovers: Workload[],
): Promise<LiveProcess> {
  const { scheduler, store } = platform
  const found = await scheduler.inspect(process.id).catch(() => undefined)
  if (found !== undefined && found.status !== 'exited') return process
  if (found !== undefined) {
    const again = await scheduler.restart(process.id).catch(() => undefined)
    if (again !== undefined) {
      monitor.expect(app.name, again)
      return process
    }
    await discard(platform, [found])
  }
  const spec = await workloadSpec(platform, app, store.release(app.name, app.current as string), process)
  const taken = leftovers.some(({ name }) => name === spec.name)
  const name = taken ? `${spec.name}.${randomBytes(2).toString('hex')}` : spec.name
  const started = await scheduler.start({ ...spec, name })
  monitor.expect(app.name, started)
  return { ...process, id: started.id }
}
