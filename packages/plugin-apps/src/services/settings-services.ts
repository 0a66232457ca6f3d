/** Builders and Checks: properties of an app that the next deploy goes by. @module */
import { type Builders, type Checks, conflict, invalid, type OnLine, type Workload } from '@kernel/contracts'
import { sourceBuilders } from '../builders/detect.ts'
import { asProblem } from '../failure.ts'
import { awaitReady, checkPlan, checkSettings, processName } from '../pipeline/check.ts'
import { liveWorkloads } from '../pipeline/routes.ts'
import { announce, type Platform } from '../platform.ts'
import { checkRelativePath } from '../source/source-files.ts'
import type { AppRecord, BuilderSettings, CheckOverrides } from '../store/records.ts'

type Change = (app: AppRecord) => void

const builderKeys: Record<
  string,
  { field: Exclude<keyof BuilderSettings, 'detected'>; check(value: string): string }
> = {
  selected: {
    field: 'selected',
    check(value) {
      // A plugin's builder has any name; whether there is one shows at the build.
      if (!/^[a-z0-9][a-z0-9-]*$/.test(value))
        throw invalid(`${JSON.stringify(value)} is no name of a builder`)
      return value
    },
  },
  base: {
    field: 'base',
    check(value) {
      if (!/^[\w][\w.\-/:@]*$/.test(value)) throw invalid(`${JSON.stringify(value)} is no image`)
      return value
    },
  },
  'build-dir': { field: 'buildDir', check: (value) => checkRelativePath(value, 'The build dir') },
  'dockerfile-path': {
    field: 'dockerfilePath',
    check: (value) => checkRelativePath(value, 'The Dockerfile path'),
  },
}

const seconds = (key: string) => (value: string) => {
  const number = Number(value)
  if (!/^\d+(\.\d+)?$/.test(value) || number > 86_400)
    throw invalid(`${key} is a number of seconds up to a day, not ${JSON.stringify(value)}`)
  return number
}
const checkKeys: Record<
  string,
  { field: Exclude<keyof CheckOverrides, 'enabled'>; check(value: string): unknown }
> = {
  path: {
    field: 'path',
    check(value) {
      if (!/^\/[^\s]*$/.test(value))
        throw invalid(`A path begins with "/" and has no spaces, unlike ${JSON.stringify(value)}`)
      return value
    },
  },
  timeout: { field: 'timeout', check: seconds('timeout') },
  'attempt-timeout': { field: 'attemptTimeout', check: seconds('attempt-timeout') },
  'wait-to-retire': { field: 'waitToRetire', check: seconds('wait-to-retire') },
}

function known<T>(keys: Record<string, T>, key: string, what: string): T {
  const found = Object.hasOwn(keys, key) ? keys[key] : undefined
  if (found === undefined)
    throw invalid(`${what} have no property ${JSON.stringify(key)}`, {
      hint: `There are: ${Object.keys(keys).join(', ')}`,
    })
  return found
}

export function createBuilders(platform: Platform): Builders {
  const { store } = platform
  return {
    async list() {
      return sourceBuilders.map(({ name }) => name)
    },
    async report(name) {
      const { selected, detected, base, buildDir, dockerfilePath } = store.app(name).builder
      return { selected, detected, base, buildDir, dockerfilePath }
    },
    async set(name, key, value) {
      const { field, check } = known(builderKeys, key, 'Builders')
      const checked = value === '' ? undefined : check(value)
      apply(platform, name, 'builder', key, (app) => {
        if (checked === undefined) delete app.builder[field]
        else app.builder[field] = checked
      })
    },
  }
}

export function createChecks(platform: Platform, hostHeader: (app: AppRecord) => string): Checks {
  const { store, settings, scheduler, signal } = platform
  const currentOf = (app: AppRecord) =>
    app.current === undefined ? undefined : store.release(app.name, app.current)
  const enable = async (name: string, enabled: boolean) =>
    apply(platform, name, 'checks', 'enabled', (app) => {
      app.checks.enabled = enabled
    })

  async function runOne(app: AppRecord, workload: Workload, onLine: OnLine): Promise<boolean> {
    const release = currentOf(app)
    if (release === undefined) return false
    const options = { settings, hostHeader: hostHeader(app), liveness: true }
    try {
      await awaitReady(scheduler, workload, checkPlan(app, release, workload.processType, options), signal)
      onLine({ kind: 'detail', text: `${processName(workload)} passed` })
      return true
    } catch (error) {
      onLine({ kind: 'error', text: asProblem(error).message })
      return false
    }
  }

  return {
    async report(name) {
      const app = store.app(name)
      return checkSettings(app, settings, currentOf(app))
    },
    async set(name, key, value) {
      const { field, check } = known(checkKeys, key, 'Checks')
      const checked = value === '' ? undefined : check(value)
      apply(platform, name, 'checks', key, (app) => {
        const { [field]: _, ...rest } = app.checks
        app.checks = { ...rest, ...(checked !== undefined && { [field]: checked }) }
      })
    },
    enable: (name) => enable(name, true),
    disable: (name) => enable(name, false),
    async run(name, onLine = () => {}) {
      const app = store.app(name)
      if (app.live.length === 0)
        throw conflict(`${name} does not run, so there is nothing to check`, {
          hint: `Start it: ps:start ${name}`,
        })
      const workloads = await liveWorkloads(platform, app)
      onLine({ kind: 'step', text: `Checking ${name}` })
      for (const { id, type, index } of app.live)
        if (!workloads.some((workload) => workload.id === id))
          onLine({ kind: 'error', text: `${type}.${index} is gone` })
      const passed = await Promise.all(workloads.map((workload) => runOne(app, workload, onLine)))
      return { passed: passed.every(Boolean) && workloads.length === app.live.length }
    },
  }
}

function apply(platform: Platform, name: string, action: string, key: string, change: Change): void {
  platform.store.changeApp(name, change)
  announce(platform, 'app', action, name, { key })
}
