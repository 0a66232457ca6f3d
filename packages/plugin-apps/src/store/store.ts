/** The plugin's database: `<dataDir>/db/apps.db`, written through to the disk at every change. @module */
import { join } from 'node:path'
import { conflict, notFound } from '@kernel/contracts'
import { collection, openDatabase } from '@kernel/state'
import type { AppRecord, DeployRecord, GlobalRecord, ReleaseRecord } from './records.ts'

const globalKey = 'global'

export type Store = ReturnType<typeof openStore>

/** @param dbDir an existing folder */
export function openStore(dbDir: string) {
  const db = openDatabase(join(dbDir, 'apps.db'))
  const apps = collection<AppRecord>(db, 'apps')
  const releases = collection<ReleaseRecord>(db, 'releases')
  const deploys = collection<DeployRecord>(db, 'deploys')
  const global = collection<GlobalRecord>(db, 'global')
  const releaseKey = (app: string, id: string) => `${app}/${id}`

  function app(name: string): AppRecord {
    const found = apps.get(name)
    if (found === undefined)
      throw notFound(`There is no app ${name}`, { hint: `Create it: apps:create ${name}` })
    if (found.destroying) throw conflict(`The app ${name} is being destroyed`)
    return found
  }

  return {
    transaction: <T>(change: () => T): T => db.transaction(change),
    close: () => db.close(),

    /** @throws not-found; conflict while it is being destroyed */
    app,
    findApp: (name: string) => apps.get(name),
    listApps: () => apps.list(),
    putApp: (record: AppRecord) => apps.put(record.name, record),
    deleteApp: (name: string) => apps.delete(name),
    /** Reads, changes and writes in one step. @throws not-found */
    changeApp(name: string, change: (record: AppRecord) => void): AppRecord {
      return db.transaction(() => {
        const record = app(name)
        change(record)
        return apps.put(name, record)
      })
    },

    putRelease: (release: ReleaseRecord) => releases.put(releaseKey(release.app, release.id), release),
    deleteRelease: (release: ReleaseRecord) => releases.delete(releaseKey(release.app, release.id)),
    findRelease: (name: string, id: string) => releases.get(releaseKey(name, id)),
    /** @throws not-found */
    release(name: string, id: string): ReleaseRecord {
      const found = releases.get(releaseKey(name, id))
      if (found === undefined)
        throw notFound(`The app ${name} has no release ${id}`, { hint: `See them: releases:list ${name}` })
      return found
    },
    /** Newest first. */
    listReleases: (name: string) => releases.list(`${name}/`).sort((a, b) => b.number - a.number),
    allReleases: () => releases.list(),

    putDeploy: (deploy: DeployRecord) => deploys.put(deploy.id, deploy),
    findDeploy: (id: string) => deploys.get(id),
    deleteDeploy: (id: string) => deploys.delete(id),
    /** Newest first: their ids are ULIDs. */
    listDeploys: (name?: string) =>
      deploys
        .list()
        .filter((deploy) => name === undefined || deploy.app === name)
        .reverse(),

    global: (): GlobalRecord => global.get(globalKey) ?? { config: {} },
    putGlobal: (record: GlobalRecord) => global.put(globalKey, record),
  }
}
