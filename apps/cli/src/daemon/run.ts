/** `kernel daemon`: locks the data dir, starts the plugins, and stops them in order. @module */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { conflict, denied, HttpServer } from '@kernel/contracts'
import { assertKnownSections, createKernel, type Kernel, loadPlugins } from '@kernel/kernel'
import { spaceReserve, useReserve } from '@kernel/state'
import { type FileLock, LockHeldError, lockFile, sdNotify } from '@kernel/sys'
import { version } from '../version.ts'
import { firstParty } from './compose.ts'
import { createLogger, type DaemonLogger } from './logger.ts'
import { decideSettings, type Flags, type Settings } from './settings.ts'

/** Runs until a signal stops it; answers the exit code. */
export async function runDaemon(flags: Flags): Promise<number> {
  const settings = decideSettings(flags)
  const log = createLogger({ format: settings.logFormat, debug: settings.debug })
  process.umask(0o077)
  const lock = lockOf(settings)
  const reserve = spaceReserve(join(settings.dataDir, 'reserve'))
  useReserve(reserve)
  log.info(`kernel ${version} starts`, { dataDir: settings.dataDir, node: process.version })
  const thirdParty = await loadPlugins(settings.plugins, { from: settings.configDir })
  const own = firstParty(settings, () => kernel.report())
  assertKnownSections(settings.config, [...own.map(({ plugin }) => plugin), ...thirdParty])
  const kernel: Kernel = createKernel({
    log,
    plugins: [...own, ...thirdParty.map((plugin) => ({ plugin, config: settings.config[plugin.name] }))],
  })

  const stopped = stopSignal(log)
  reportFaults(log)
  let code = 0
  try {
    const begun = performance.now()
    const outcome = await Promise.race([kernel.start().then(() => 'ready'), stopped])
    if (outcome === 'ready') {
      log.info('Ready', { ms: Math.round(performance.now() - begun) })
      sdNotify('READY=1')
      reserve.keep()
      watchReload(kernel, flags, settings, log)
      await stopped
    }
  } catch (error) {
    log.error('The daemon can not start', { error })
    process.stderr.write(` !     ${(error as Error).message}\n`)
    code = 1
  }
  sdNotify('STOPPING=1')
  reserve.close()
  try {
    await kernel.stop()
    log.info('Stopped')
  } catch (error) {
    log.error('Not all could be stopped cleanly', { error })
    code = 1
  }
  lock.close()
  return code
}

function lockOf({ dataDir }: Settings): FileLock {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw denied(`The data dir ${dataDir} can not be made: ${(error as Error).message}`, {
      hint: 'Run as a user who may, or name another with --data-dir',
      cause: error,
    })
  }
  try {
    return lockFile(join(dataDir, 'lock'))
  } catch (error) {
    if (!(error instanceof LockHeldError)) throw error
    throw conflict(`Another daemon${error.pid ? ` (pid ${error.pid})` : ''} uses the data dir ${dataDir}.`, {
      hint: 'Stop it first, or give this one its own --data-dir',
      cause: error,
    })
  }
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
function stopSignal(log: DaemonLogger): Promise<void> {
  return new Promise((resolve) => {
    let asked = false
    const onSignal = (signal: NodeJS.Signals) => {
      if (asked) {
        log.warn(`${signal} again: ending at once`)
        process.exit(1)
      }
      asked = true
      log.info(`${signal}: stopping`)
      resolve()
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}

/** What SIGHUP changes in a daemon that runs. Certificates are read again even where their paths stay. */
const reloadable: Array<keyof Settings> = ['hosts', 'tls', 'debug']

/** SIGHUP reads the config file again: what can change while running does, the rest is named. */
function watchReload(kernel: Kernel, flags: Flags, before: Settings, log: DaemonLogger): void {
  let current = before
  async function reload(): Promise<void> {
    const after = decideSettings(flags)
    const changed = changedKeys(current, after)
    log.setDebug(after.debug)
    await kernel.use(HttpServer).reload({ hosts: after.hosts, ...(after.tls && { tls: after.tls }) })
    const { hosts, tls, debug } = after
    current = { ...current, hosts, tls, debug }
    log.info('Config reloaded', { changed: changed.filter((key) => reloadable.includes(key)) })
    const waiting = changed.filter((key) => !reloadable.includes(key))
    if (waiting.length > 0) log.warn(`Not changed before the next start: ${waiting.join(', ')}`)
  }
  process.on('SIGHUP', () => {
    reload().catch((error) =>
      log.error('The config was not reloaded; the daemon goes on as it was', { error }),
    )
  })
}

const changedKeys = (a: Settings, b: Settings) =>
  (Object.keys(b) as Array<keyof Settings>).filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]))

function reportFaults(log: DaemonLogger): void {
  process.on('unhandledRejection', (error) =>
    log.error('A promise failed and nobody waited for it', { error }),
  )
  process.on('uncaughtException', (error) => {
    log.error('A fault in the daemon; it ends, containers live on', { error })
    process.exit(70)
  })
}
