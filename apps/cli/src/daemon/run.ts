/** `kernel daemon`: locks the data dir, starts the plugins, and stops them in order. @module */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { conflict, denied } from '@kernel/contracts'
import { assertKnownSections, createKernel, type Logger, loadPlugins } from '@kernel/kernel'
import { type FileLock, LockHeldError, lockFile, sdNotify } from '@kernel/sys'
import { version } from '../version.ts'
import { firstParty } from './compose.ts'
import { createLogger } from './logger.ts'
import { decideSettings, type Flags, type Settings } from './settings.ts'

/** Runs until a signal stops it; answers the exit code. */
export async function runDaemon(flags: Flags): Promise<number> {
  const settings = decideSettings(flags)
  const log = createLogger({ format: settings.logFormat, debug: settings.debug })
  process.umask(0o077)
  const lock = lockOf(settings)
  log.info(`kernel ${version} starts`, { dataDir: settings.dataDir, node: process.version })
  const thirdParty = await loadPlugins(settings.plugins, { from: settings.configDir })
  const own = firstParty(settings)
  assertKnownSections(settings.config, [...own.map(({ plugin }) => plugin), ...thirdParty])
  const kernel = createKernel({
    log,
    plugins: [...own, ...thirdParty.map((plugin) => ({ plugin, config: settings.config[plugin.name] }))],
  })

  const stopped = stopSignal(log)
  watchReload(flags, settings, log)
  reportFaults(log)
  let code = 0
  try {
    const begun = performance.now()
    await Promise.race([kernel.start(), stopped])
    log.info('Ready', { ms: Math.round(performance.now() - begun) })
    sdNotify('READY=1')
    await stopped
  } catch (error) {
    log.error('The daemon can not start', { error })
    process.stderr.write(` !     ${(error as Error).message}\n`)
    code = 1
  }
  sdNotify('STOPPING=1')
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
function stopSignal(log: Logger): Promise<void> {
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

/** SIGHUP reads the config file again: what can change while running does, the rest is named. */
function watchReload(flags: Flags, before: Settings, log: Logger): void {
  process.on('SIGHUP', () => {
    try {
      const after = decideSettings(flags)
      log.info('Config reloaded', {
        changed: Object.keys(after).filter((key) => differs(before, after, key as keyof Settings)),
      })
    } catch (error) {
      log.error('The config was not reloaded; the daemon goes on as it was', { error })
    }
  })
}

const differs = (a: Settings, b: Settings, key: keyof Settings) =>
  JSON.stringify(a[key]) !== JSON.stringify(b[key])

function reportFaults(log: Logger): void {
  process.on('unhandledRejection', (error) =>
    log.error('A promise failed and nobody waited for it', { error }),
  )
  process.on('uncaughtException', (error) => {
    log.error('A fault in the daemon; it ends, containers live on', { error })
    process.exit(70)
  })
}
