import { type AppReport, type Apps, invalid, notSupported } from '@kernel/contracts'
import type { Deploys } from '../deploys.ts'
import { effectiveDomains } from '../domain-names.ts'
import { mostFrozen } from '../pipeline/freezer.ts'
import { scaleFor } from '../pipeline/release.ts'
import type { Floor } from '../pipeline/transition.ts'
import { announce } from '../platform.ts'
import type { AppQueue } from '../queue.ts'
import { createApp, deployBranches } from '../receive.ts'
import type { AppRecord } from '../store/records.ts'
import type { Lifecycle } from './lifecycle.ts'
import { summaryOf } from './state.ts'

export function createApps(floor: Floor, queue: AppQueue, deploys: Deploys, lifecycle: Lifecycle): Apps {
  const { platform, retirer, freezer } = floor
  const { store, scheduler } = platform
  const change = (name: string, action: string, work: (app: AppRecord) => void) => {
    store.changeApp(name, work)
    announce(platform, 'app', action, name)
  }
  async function keepFrozen(name: string, value: string): Promise<void> {
    const count = value.trim() === '' ? 0 : Number(value)
    if (!Number.isInteger(count) || count < 0 || count > mostFrozen)
      throw invalid(
        `keep-frozen is a number of releases from 0 to ${mostFrozen}, not ${JSON.stringify(value)}`,
      )
    if (count > 0 && !freezer.isAble)
      throw notSupported('Processes can not be frozen by the driver of this machine')
    await queue.run(name, { label: `a change of what ${name} keeps frozen` }, async () => {
      change(name, 'set', (app) => {
        app.keepFrozen = count
      })
      const kept = new Set(
        store
          .app(name)
          .frozen?.slice(0, count)
          .map(({ release }) => release),
      )
      await retirer.evict(name, ({ release }) => !kept.has(release))
    })
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
        keepFrozen: app.keepFrozen ?? 0,
        frozen: (app.frozen ?? []).map((frozen) => frozen.release),
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
      if (key === 'keep-frozen') return keepFrozen(name, value)
      if (key !== 'deploy-branch')
        throw invalid(`Apps have no property ${JSON.stringify(key)}`, {
          hint: 'There are: deploy-branch, keep-frozen',
        })
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
