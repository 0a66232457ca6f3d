import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError } from '@kernel/kernel'
import { removeTree } from '@kernel/state'
import { pruneReleases, removeUnusedArtifact } from './artifacts.ts'
import { ignoreMissing, orGone } from './failure.ts'
import { buildDirPrefix } from './pipeline/build.ts'
import { heldIds } from './pipeline/freezer.ts'
import { discard, workloadSpec } from './pipeline/launch.ts'
import { liveName, retiredName } from './pipeline/retire.ts'
import { liveWorkloads } from './pipeline/routes.ts'
import type { Floor } from './pipeline/transition.ts'
import type { AppQueue } from './queue.ts'
import type { Lifecycle } from './services/lifecycle.ts'
import { type AppRecord, isReleaseId, type LiveProcess } from './store/records.ts'

/**
 * Resolves when the routes of all that runs are published; requests to what has to be started again are held.
 * What is left over is removed before `open` lets the first work of the queue begin: it can't be mistaken for
 * something new then.
 * @returns `background`: removals and starts that go on; never rejects
 */
export async function reconcile(
  floor: Floor,
  queue: AppQueue,
  lifecycle: Lifecycle,
  open: () => void,
): Promise<{ background: Promise<void> }> {
  const { platform, routes, monitor, freezer } = floor
  const { store, router, log } = platform
  const background: Array<Promise<unknown>> = []
  const later = (what: string, work: Promise<unknown>) => {
    const told = work.catch((error) => {
      if (!platform.signal.aborted) log.error(`Could not ${what}: ${describeError(error)}`, { error })
    })
    background.push(told)
    return told
  }

  for (const app of store.listApps()) {
    const { name } = app
    if (app.destroying) {
      const work = { label: `the end of ${name}` }
      later(
        `finish the end of ${name}`,
        queue.run(name, work, () => lifecycle.finishDestroy(name)),
      )
      continue
    }
    // Before anything is pushed to it: the repository may still have the old name.
    if (app.renamedFrom !== undefined)
      await lifecycle
        .finishRename(name)
        .catch((error) => log.error(`Could not finish the renaming of ${name}`, { app: name, error }))
    if (app.current === undefined) continue
    await freezer.recover(name)
    const alive = await liveWorkloads(platform, app)
    const missing = app.live.filter(
      ({ id }) => !alive.some((one) => one.id === id && one.status !== 'exited'),
    )
    // Started by its restart policy after a reboot, say: it may not listen yet.
    for (const one of alive)
      if (one.status === 'running' && Date.parse(one.startedAt) > performance.timeOrigin)
        monitor.expect(name, one)
    routes.setComing(
      name,
      missing.some(({ type }) => type === 'web'),
    )
    for (const { id, unready } of app.live) if (unready !== undefined) routes.markNotReady(id, 'readiness')
    await routes
      .refresh(name)
      .catch((error) => log.error(`The routes of ${name} could not be published`, { app: name, error }))
    monitor.watch(name)
    if (missing.length > 0) later(`start ${name} again`, revive(floor, queue, name))
    const tidy = async () => {
      await nameProcesses(floor, name)
      await pruneReleases(platform, name)
    }
    later(`tidy up ${name}`, queue.run(name, { label: `tidying up ${name}` }, tidy))
  }
  await router.ready()
  const clean = [
    later('remove processes of no release', removeWorkloads(floor)),
    later('remove what was built for no release', removeArtifacts(floor)),
    later('remove source trees', removeTrees(platform.tmpDir)),
  ]
  const cleaned = Promise.all(clean).then(open)
  return { background: cleaned.then(() => Promise.all(background)).then(() => {}) }
}

/** Processes that are neither live nor in the freezer, nor one-offs of a release that there is. */
async function removeWorkloads({ platform }: Floor): Promise<void> {
  const { store, scheduler } = platform
  const live = new Set(store.listApps().flatMap((app) => [...app.live.map(({ id }) => id), ...heldIds(app)]))
  const unknown = (await scheduler.list()).filter(
    ({ id, app, releaseId, oneOff }) =>
      !live.has(id) && isReleaseId(releaseId) && !(oneOff && store.findRelease(app, releaseId) !== undefined),
  )
  await discard(platform, unknown)
}

/**
 * Of deploys that did not end, and of releases whose removal did not. Only the driver's list, where it has one,
 * knows what was built in the moment of the kill.
 */
async function removeArtifacts({ platform }: Floor): Promise<void> {
  const { store, scheduler } = platform
  const unfinished = store.listDeploys().filter(({ artifact }) => artifact !== undefined)
  // The record lets go first, else it would keep what is to be removed.
  for (const { artifact: _, ...deploy } of unfinished) store.putDeploy(deploy)
  const pruned = store.allReleases().filter((release) => release.pruned)
  const named = [...unfinished, ...pruned].map(({ artifact }) => artifact as string)
  const listed = (await scheduler.listArtifacts?.()) ?? []
  for (const ref of new Set([...named, ...listed]))
    if (await scheduler.hasArtifact(ref)) await removeUnusedArtifact(platform, ref)
}

async function removeTrees(tmpDir: string): Promise<void> {
  for (const name of await readdir(tmpDir))
    if (name.startsWith(buildDirPrefix)) await removeTree(join(tmpDir, name))
}

async function nameProcesses({ platform: { scheduler, store } }: Floor, app: string): Promise<void> {
  const rename = async (id: string, name: string) => {
    const now = await scheduler.inspect(id).catch(() => undefined)
    if (now !== undefined && now.name !== name) await scheduler.rename(id, name).catch(ignoreMissing)
  }
  const { live = [], frozen = [] } = store.findApp(app) ?? {}
  // First those that let go of their names.
  for (const process of frozen.flatMap(({ processes }) => processes))
    await rename(process.id, retiredName(liveName(app, process), process.id))
  for (const process of live) await rename(process.id, liveName(app, process))
}

/**
 * Starts what is gone. Unlike a deploy it keeps what it could start: after a power cut, some of an app is
 * better than nothing.
 */
async function revive(floor: Floor, queue: AppQueue, name: string): Promise<void> {
  const { platform, routes, monitor } = floor
  const { store, log } = platform
  await queue.run(name, { label: `the start of ${name} after the daemon's` }, async () => {
    const app = store.app(name)
    try {
      const live = await Promise.all(
        app.live.map(async (process) => {
          try {
            return await reviveOne(floor, app, process)
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
  { platform, monitor, routes }: Floor,
  app: AppRecord,
  process: LiveProcess,
): Promise<LiveProcess> {
  const { scheduler, store } = platform
  const found = await scheduler.inspect(process.id).catch(orGone)
  if (found !== undefined && found.status !== 'exited') return process
  if (found !== undefined) {
    // The engine tells of its start before it listens.
    routes.markNotReady(process.id, 'starting')
    const again = await scheduler.restart(process.id).catch(() => undefined)
    if (again?.address === undefined) routes.markReady(process.id, 'starting')
    if (again !== undefined) {
      monitor.expect(app.name, again)
      return process
    }
    await discard(platform, [found])
  }
  const spec = await workloadSpec(platform, app, store.release(app.name, app.current as string), process)
  const started = await scheduler.start(spec)
  monitor.expect(app.name, started)
  return { ...process, id: started.id }
}
