import { type AppConfig, invalid, type OnLine, postConfigUpdate } from '@kernel/contracts'
import { type Deployer, same } from '../deployer.ts'
import type { Environment } from '../environment.ts'
import { asProblem } from '../failure.ts'
import { checkVariableName } from '../names.ts'
import { announce, callAfterwards, type Platform } from '../platform.ts'
import type { AppQueue, Work } from '../queue.ts'

const globalName = 'global'
/** Characters of one value; the whole environment has to fit into one exec. */
const longestValue = 128 * 1024

interface Change {
  set: Record<string, string>
  unset: string[]
}

export function createConfig(platform: Platform, queue: AppQueue, deployer: Deployer): AppConfig {
  const { store } = platform

  /** Tells who wants to know; only names, never values. */
  async function tell(app: string, keys: string[], onLine?: OnLine): Promise<void> {
    announce(platform, 'app', 'config', app, { keys: keys.join(',') })
    const call = () => platform.call(postConfigUpdate, { app, keys })
    await callAfterwards(platform, call, `The config of ${app} is changed`, onLine)
  }

  /** Stores it at once; processes get it when they are started the next time. */
  async function storeNow(app: string, change: Change, keys: string[]): Promise<Record<string, string>> {
    const { config } = store.changeApp(app, (record) => {
      record.config = applied(record.config, change)
    })
    await tell(app, keys)
    return config
  }

  async function updateApp(app: string, change: Change, onLine?: OnLine): Promise<Record<string, string>> {
    const work: Work = { label: `a change of the config of ${app}` }
    return queue.run(app, work, async (signal) => {
      const record = store.app(app)
      const config = applied(record.config, change)
      const keys = changedKeys(record.config, config)
      if (keys.length === 0) return config
      const runs = record.current !== undefined && !record.stopped
      if (!runs || !deployer.isOutdated(record, config)) return storeNow(app, change, keys)
      // All or nothing: where the app does not come up with it, the config stays as it was.
      const next = (before: Environment) => applied(before, change)
      await deployer.reconfigure(app, next, describe(change, keys), signal, onLine, work)
      await tell(app, keys, onLine)
      return store.app(app).config
    })
  }

  async function updateGlobal(change: Change, restart: boolean, onLine?: OnLine) {
    const before = store.global()
    const config = applied(before.config, change)
    const keys = changedKeys(before.config, config)
    if (keys.length === 0) return config
    store.putGlobal({ ...before, config })
    await tell(globalName, keys, onLine)
    if (!restart) return config
    const restarts = store.listApps().map(({ name }) => restartOutdated(name, describe(change, keys), onLine))
    const failures = (await Promise.all(restarts)).filter((failure) => failure !== undefined)
    if (failures.length > 0)
      throw invalid(`The global config is set, but not every app runs with it: ${failures.join('; ')}`, {
        hint: 'These apps run on as before. Repair them, then: ps:restart <app>',
      })
    return config
  }

  async function restartOutdated(name: string, description: string, onLine?: OnLine) {
    const work: Work = { label: `a change of the global config` }
    try {
      await queue.run(name, work, async (signal) => {
        const app = store.findApp(name)
        if (app?.current === undefined || app.stopped || app.destroying || !deployer.isOutdated(app)) return
        await deployer.reconfigure(name, same, `Global: ${description}`, signal, onLine, work)
      })
      return undefined
    } catch (error) {
      return `${name}: ${asProblem(error).message}`
    }
  }

  return {
    async all(app) {
      return app === globalName ? store.global().config : store.app(app).config
    },

    async update(app, { set = {}, unset = [], restart = true }, onLine) {
      const change = checked({ set, unset })
      if (app === globalName) return updateGlobal(change, restart, onLine)
      const record = store.app(app)
      if (restart) return updateApp(app, change, onLine)
      const keys = changedKeys(record.config, applied(record.config, change))
      return keys.length === 0 ? record.config : storeNow(app, change, keys)
    },
  }
}

/** @throws invalid, without the value in the message */
function checked({ set, unset }: Change): Change {
  for (const name of [...Object.keys(set), ...unset]) checkVariableName(name)
  for (const [name, value] of Object.entries(set)) {
    if (typeof value !== 'string') throw invalid(`The value of ${name} has to be a text`)
    if (value.includes('\0'))
      throw invalid(`The value of ${name} has a NUL character, which no environment can hold`)
    if (value.length > longestValue)
      throw invalid(`The value of ${name} is longer than ${longestValue >> 10} KiB`)
  }
  const both = unset.find((name) => name in set)
  if (both !== undefined) throw invalid(`${both} can't be set and unset in one change`)
  return { set, unset }
}

function applied(config: Environment, { set, unset }: Change): Environment {
  const next = { ...config, ...set }
  for (const name of unset) delete next[name]
  return next
}

const changedKeys = (before: Environment, after: Environment) =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => before[name] !== after[name])
    .sort()

function describe({ unset }: Change, keys: string[]): string {
  const gone = keys.filter((name) => unset.includes(name))
  const set = keys.filter((name) => !unset.includes(name))
  const parts = [set.length > 0 && `Set ${set.join(', ')}`, gone.length > 0 && `Unset ${gone.join(', ')}`]
  return parts.filter(Boolean).join('; ')
}
