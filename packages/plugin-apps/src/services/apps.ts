import { type AppReport, type Apps, invalid } from '@kernel/contracts'
import type { Deploys } from '../deploys.ts'
import { effectiveDomains } from '../domain-names.ts'
import { scaleFor } from '../pipeline/release.ts'
import type { Platform } from '../platform.ts'
import { announce } from '../platform.ts'
import { createApp, deployBranches } from '../receive.ts'
import type { AppRecord } from '../store/records.ts'
import type { Lifecycle } from './lifecycle.ts'
import { summaryOf } from './state.ts'

export function createApps(platform: Platform, deploys: Deploys, lifecycle: Lifecycle): Apps {
  const { store, scheduler } = platform
  const change = (name: string, action: string, work: (app: AppRecord) => void) => {
    store.changeApp(name, work)
    announce(platform, 'app', action, name)
  }
  return {
    async list() {
      const apps = store.listApps().filter(({ destroying }) => !destroying)
      return Promise.all(apps.map((app) => summaryOf(platform, deploys, app)))
    },

    async report(name): Promise<AppReport> {
      const app = store.app(name)
      const release = app.current === undefined ? undefined : store.release(name, app.current)
      const { selected, detected, base } = app.builder
      return {
        ...(await summaryOf(platform, deploys, app)),
        builder: {
          ...(selected !== undefined && { selected }),
          ...(detected !== undefined && { detected }),
          ...(base !== undefined && { base }),
        },
        deployBranch: deployBranches(app).join(' or '),
        ...(release?.gitRev !== undefined && { gitRev: release.gitRev }),
        domains: effectiveDomains(app, platform),
        scale: release ? scaleFor(app, release.procfile) : app.scale,
        ...(release && { artifactSize: release.artifactSize }),
        driver: (await scheduler.describe()).driver,
      }
    },

    async create(name) {
      return summaryOf(platform, deploys, await createApp(platform, name))
    },

    destroy: (name) => lifecycle.destroy(name),
    rename: (name, newName) => lifecycle.rename(name, newName),

    async set(name, key, value) {
      if (key !== 'deploy-branch')
        throw invalid(`Apps have no property ${JSON.stringify(key)}`, { hint: 'There is: deploy-branch' })
      const branch = value.trim().replace(/^refs\/heads\//, '')
      if (/[\s~^:?*[\\\x00-\x1f]|\.\.|^-/.test(branch)) throw invalid(`${JSON.stringify(value)} is no branch`)
      change(name, 'set', (app) => {
        if (branch === '') delete app.deployBranch
        else app.deployBranch = branch
      })
    },

    async lock(name) {
      change(name, 'lock', (app) => {
        app.locked = true
      })
    },

    async unlock(name) {
      change(name, 'unlock', (app) => {
        app.locked = false
      })
    },
  }
}
