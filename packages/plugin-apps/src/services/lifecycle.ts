/** The end of an app, and its move to another name. @module */
import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { conflict, notFound, postAppRename, postDelete, preAppRename } from '@kernel/contracts'
import { removeUnusedArtifact } from '../artifacts.ts'
import { deployLogPath } from '../deploy-run.ts'
import { assertDomainsFree, effectiveDomains } from '../domain-names.ts'
import { ignoreMissing } from '../failure.ts'
import type { LogArchive } from '../log-archive.ts'
import { checkAppName } from '../names.ts'
import { checkSettings } from '../pipeline/check.ts'
import { discard, launch, slotsOf } from '../pipeline/launch.ts'
import { createOutput } from '../pipeline/output.ts'
import { scaleFor } from '../pipeline/release.ts'
import { liveWorkloads, routesFor, targetsOf } from '../pipeline/routes.ts'
import type { Floor } from '../pipeline/transition.ts'
import { announce } from '../platform.ts'
import type { AppQueue } from '../queue.ts'
import { type AppRecord, isReleaseId, type LiveProcess, type ReleaseRecord } from '../store/records.ts'

export interface Lifecycle {
  destroy(name: string): Promise<void>
  /** Goes on with a destroy that a crash has cut off. */
  finishDestroy(name: string): Promise<void>
  rename(name: string, newName: string): Promise<void>
  /** Goes on with a renaming that a crash has cut off after its records were written. */
  finishRename(name: string): Promise<void>
}

export function createLifecycle(floor: Floor, queue: AppQueue, archive: LogArchive): Lifecycle {
  const { platform, routes, monitor, retirer } = floor
  const { store, scheduler } = platform

  /** Marked first: from then on there is no way back, and a crash at any step leaves work for the next start. */
  async function finishDestroy(name: string): Promise<void> {
    const app = store.findApp(name)
    if (app === undefined) throw notFound(`There is no app ${name}`)
    store.putApp({ ...app, destroying: true })
    await routes.exclusively(name, () => routes.withdraw(name))
    monitor.forget(name)
    const mine = (await scheduler.list({ app: name })).filter(({ releaseId }) => isReleaseId(releaseId))
    const ids = new Set([...app.live.map(({ id }) => id), ...mine.map(({ id }) => id)])
    await Promise.all(
      [...ids].map(async (id) => {
        await scheduler.stop(id, { timeoutSec: platform.settings.stopTimeoutSec }).catch(ignoreMissing)
        await scheduler.remove(id).catch(ignoreMissing)
      }),
    )
    const releases = store.listReleases(name)
    store.transaction(() => {
      for (const release of releases) store.putRelease({ ...release, pruned: true, config: {}, env: {} })
    })
    for (const artifact of new Set(releases.map((release) => release.artifact)))
      await removeUnusedArtifact(platform, artifact)
    await archive.remove(name)
    const deploys = store.listDeploys(name)
    for (const { id } of deploys) await rm(deployLogPath(platform, id), { force: true })
    await platform.call(postDelete, { app: name })
    store.transaction(() => {
      for (const release of releases) store.deleteRelease(release)
      for (const { id } of deploys) store.deleteDeploy(id)
      store.deleteApp(name)
    })
    announce(platform, 'app', 'destroy', name)
  }

  async function move(name: string, newName: string, signal: AbortSignal): Promise<void> {
    const app = store.app(name)
    if (store.findApp(newName)) throw conflict(`The app ${newName} exists already`)
    const renamed: AppRecord = { ...app, name: newName }
    const domains = effectiveDomains(renamed, platform)
    assertDomainsFree(newName, domains, platform, [name])
    const release = app.current === undefined || app.stopped ? undefined : store.release(name, app.current)
    const started = release ? await startUnder(renamed, { ...release, app: newName }, signal) : []
    const live = started.map(({ id, processType: type, index }): LiveProcess => ({ id, type, index }))
    const old = await liveWorkloads(platform, app)
    try {
      await platform.call(preAppRename, { oldApp: name, app: newName })
      await routes.exclusively(name, async () => {
        // A host has one owner: own domains have to be let go before they can be taken.
        if (app.domains) await routes.withdraw(name)
        try {
          if (app.current !== undefined) await routes.publish(newName, routesFor(domains, targetsOf(started)))
          writeMove({ ...renamed, live, frozen: [], renamedFrom: name }, name)
        } catch (error) {
          await routes.withdraw(newName)
          await routes.restore(name)
          throw error
        }
        await routes.withdraw(name)
      })
    } catch (error) {
      await discard(platform, started)
      throw error
    }
    monitor.forget(name)
    monitor.watch(newName)
    // Those in the freezer know the app by its old name as well.
    retirer.retire(newName, old, app, checkSettings(app, platform.settings).waitToRetire)
    await finishRename(newName)
    announce(platform, 'app', 'rename', newName, { oldName: name })
  }

  /** What is elsewhere by the name, such as the repository. Each step may have been done already. */
  async function finishRename(name: string): Promise<void> {
    const oldName = store.findApp(name)?.renamedFrom
    if (oldName === undefined) return
    await archive.rename(oldName, name)
    await platform.call(postAppRename, { oldApp: oldName, app: name })
    store.changeApp(name, (record) => {
      delete record.renamedFrom
    })
  }

  /** Processes know the app by its name, so they are started anew. */
  async function startUnder(app: AppRecord, release: ReleaseRecord, signal: AbortSignal) {
    const { procfile } = release
    return launch(platform, {
      app,
      release,
      slots: slotsOf(procfile, scaleFor(app, procfile)),
      suffix: `${release.id}.${randomBytes(2).toString('hex')}`,
      hostHeader: effectiveDomains(app, platform)[0] ?? app.name,
      output: createOutput(),
      signal,
      stage: (_, work) => work(),
    })
  }

  function writeMove(app: AppRecord, oldName: string): void {
    store.transaction(() => {
      if (store.findApp(app.name)) throw conflict(`The app ${app.name} exists already`)
      for (const release of store.listReleases(oldName)) {
        store.putRelease({ ...release, app: app.name })
        store.deleteRelease(release)
      }
      for (const deploy of store.listDeploys(oldName)) store.putDeploy({ ...deploy, app: app.name })
      store.putApp(app)
      store.deleteApp(oldName)
    })
  }

  return {
    finishDestroy,
    finishRename,
    async destroy(name) {
      if (store.findApp(name) === undefined) store.app(name)
      queue.abort(name, conflict(`The app ${name} is being destroyed`))
      await queue.run(name, { label: `the end of ${name}` }, () => finishDestroy(name))
    },
    async rename(name, newName) {
      checkAppName(newName)
      store.app(name)
      const label = { label: `renaming of ${name} to ${newName}` }
      // The new name is taken while it happens, so that nobody creates it meanwhile.
      await queue.run(name, label, (signal) => queue.run(newName, label, () => move(name, newName, signal)))
    },
  }
}
