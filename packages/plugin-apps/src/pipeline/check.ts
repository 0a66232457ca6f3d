/** Whether a process is fit to serve: its checks of app.json, or else that its port answers. @module */
import { setTimeout as sleep } from 'node:timers/promises'
import { type CheckSettings, failed, problemOf, type Scheduler, type Workload } from '@kernel/contracts'
import { describeError } from '@kernel/kernel'
import type { Settings } from '../settings.ts'
import type { Healthcheck } from '../source/app-json.ts'
import type { AppRecord, ReleaseRecord } from '../store/records.ts'
import { tellFailure } from './on-failure.ts'
import { type Address, connectMs, probeCommand, probeHttp, probePort, retry } from './probe.ts'

/** The settings of an app: what was set for it, above the plugin's. */
export function checkSettings(app: AppRecord, settings: Settings, release?: ReleaseRecord): CheckSettings {
  const { enabled, path, timeout, attemptTimeout, waitToRetire } = app.checks
  const declared = release?.healthchecks.web?.find((check) => check.path !== undefined)?.path
  const effective = path ?? declared
  return {
    enabled,
    ...(effective !== undefined && { path: effective }),
    timeout: timeout ?? settings.checkTimeoutSec,
    attemptTimeout: attemptTimeout ?? settings.attemptTimeoutSec,
    waitToRetire: waitToRetire ?? settings.waitToRetireSec,
  }
}

/** A domain of the app, since some frameworks answer no other `Host`. */
export const hostHeaderOf = (domains: string[], app: string): string =>
  domains.find((domain) => !domain.startsWith('*')) ?? app

/** `web.1` */
export const processName = ({ processType, index }: Pick<Workload, 'processType' | 'index'>) =>
  `${processType}.${index}`

export interface CheckPlan {
  checks: Healthcheck[]
  settings: CheckSettings
  uptimeSec: number
  hostHeader: string
  /** Told of checks that failed and decide nothing. */
  onWarning?(text: string): void
}

/** The checks of one process type of a release. `liveness` ones are asked for by `checks:run` alone. */
export function checkPlan(
  app: AppRecord,
  release: ReleaseRecord,
  type: string,
  { settings, hostHeader, liveness = false }: { settings: Settings; hostHeader: string; liveness?: boolean },
): CheckPlan {
  const own = (release.healthchecks[type] ?? []).filter((check) => liveness || check.type !== 'liveness')
  // A path that the owner has set stands above the one that the source declares.
  const { path } = app.checks
  const checks: Healthcheck[] =
    type === 'web' && path !== undefined
      ? [...own.filter((check) => check.path === undefined), { type: 'startup', path }]
      : own
  return {
    checks,
    settings: checkSettings(app, settings, release),
    uptimeSec: settings.uptimeSec,
    hostHeader,
  }
}

/**
 * For a process that comes back from the freezer: it has passed its checks when it was started. Whether it answers
 * and is ready now is asked once more, with nothing to wait for.
 */
export function wokenPlan(
  app: AppRecord,
  release: ReleaseRecord,
  type: string,
  options: { settings: Settings; hostHeader: string },
): CheckPlan {
  const plan = checkPlan(app, release, type, options)
  const checks = plan.checks
    .filter(
      (check) => check.uptime === undefined && (check.type === 'readiness' || check.command === undefined),
    )
    .map((check) => ({ ...check, initialDelay: 0 }))
  return { ...plan, checks, uptimeSec: 0 }
}

/**
 * Resolves when the process has passed all its checks.
 * @throws failed as soon as it exits, where a check has used up its attempts, or when the time is over
 */
export async function awaitReady(
  scheduler: Scheduler,
  workload: Workload,
  plan: CheckPlan,
  signal: AbortSignal,
): Promise<void> {
  const name = processName(workload)
  const { timeout } = plan.settings
  const over = new AbortController()
  const limit = AbortSignal.any([signal, over.signal, AbortSignal.timeout(timeout * 1000)])
  const exit = scheduler.wait(workload.id, over.signal).then(
    ({ exitCode, error }) => {
      throw failed(`${name} exited with code ${exitCode}${error ? ` (${error})` : ''} before it was ready`)
    },
    (error) => {
      throw failed(`${name} is gone: ${describeError(error)}`, { cause: error })
    },
  )
  const passed = Promise.all(runChecks(scheduler, workload, plan, limit)).catch((error) => {
    signal.throwIfAborted()
    if (problemOf(error)) throw error
    const late = limit.aborted ? ` within ${timeout} s` : ''
    throw failed(`${name} did not pass its checks${late}: ${describeError(error)}`, { cause: error })
  })
  // The signal may come while a check sits in a foreign call; nobody waits for that one.
  const aborted = new Promise<never>((_, reject) =>
    limit.addEventListener('abort', () => signal.aborted && reject(signal.reason)),
  )
  for (const outcome of [exit, passed, aborted]) outcome.catch(() => {})
  try {
    signal.throwIfAborted()
    await Promise.race([exit, passed, aborted])
    await assertRunning(scheduler, workload)
  } finally {
    over.abort()
  }
}

/**
 * A process that was started again by its restart policy has failed too, whether or not the driver's `wait`
 * told of it.
 * @throws failed where it does not run or has run before; else `error`, where there is one
 */
async function assertRunning(scheduler: Scheduler, workload: Workload, error?: unknown): Promise<void> {
  const { status, restartCount, exitCode } = await scheduler.inspect(workload.id)
  if (status !== 'running' || restartCount > workload.restartCount)
    throw failed(
      `${processName(workload)} exited${exitCode === undefined ? '' : ` with code ${exitCode}`} before it was ready`,
    )
  if (error !== undefined) throw error
}

function runChecks(
  scheduler: Scheduler,
  workload: Workload,
  { checks, settings, uptimeSec, hostHeader, onWarning }: CheckPlan,
  signal: AbortSignal,
): Array<Promise<void>> {
  const { address } = workload
  const attemptMs = settings.attemptTimeout * 1000
  const port = (target: Address) =>
    retry(
      (s) => probePort(target, s).catch((error) => assertRunning(scheduler, workload, error)),
      { attemptMs: Math.min(attemptMs, connectMs) },
      signal,
    )
  const stayUp = (seconds: number) => sleep(seconds * 1000, undefined, { signal })
  if (checks.length === 0) return [address ? port(address) : stayUp(uptimeSec)]

  async function pass(check: Healthcheck): Promise<void> {
    const { wait, timeout, initialDelay, uptime } = check
    // A deploy does not wait for long for what decides nothing.
    const attempts = check.attempts ?? (check.warn ? 3 : undefined)
    if (initialDelay) await sleep(initialDelay * 1000, undefined, { signal })
    if (uptime !== undefined) return stayUp(uptime)
    const ask = questionOf(scheduler, workload, check, hostHeader)
    if (ask === undefined) return stayUp(uptimeSec)
    // Attempts are counted from the moment the port answers: until then the process is still starting.
    if (address && check.command === undefined) await port(targetOf(address, check))
    const tries = {
      attemptMs: timeout === undefined ? attemptMs : timeout * 1000,
      ...(attempts !== undefined && { attempts }),
      ...(wait !== undefined && { waitMs: wait * 1000 }),
    }
    await retry(ask, tries, signal)
  }

  return checks.map(async (check) => {
    try {
      await pass(check)
    } catch (error) {
      // Cut off by another check's end, or by whoever cancels.
      if (signal.aborted && !isTimeout(signal)) throw error
      await tellFailure(scheduler, workload, check, describeError(error))
      if (!check.warn || problemOf(error)?.kind === 'failed') throw error
      onWarning?.(`${processName(workload)} did not pass ${nameOf(check)}: ${describeError(error)}`)
    }
  })
}

const isTimeout = ({ reason }: AbortSignal) => (reason as Error | undefined)?.name === 'TimeoutError'

/** `the check "web up"`, or what it asks. */
export const nameOf = ({ name, type, path, command }: Healthcheck): string =>
  name !== undefined
    ? `the check ${JSON.stringify(name)}`
    : `its ${type} check${path === undefined ? '' : ` of ${path}`}${command === undefined ? '' : ` (${command.at(-1)})`}`

const targetOf = ({ host, port }: Address, check: Healthcheck): Address => ({
  host,
  port: check.port ?? port,
})

/**
 * What one check asks of a process, once; undefined where it asks for nothing but time.
 * @throws Error where the process has no port that could be asked
 */
export function questionOf(
  scheduler: Scheduler,
  workload: Workload,
  check: Healthcheck,
  hostHeader: string,
): ((signal: AbortSignal) => Promise<void>) | undefined {
  const { id, address, processType } = workload
  const { command, content, scheme, httpHeaders = [], listening, uptime } = check
  if (uptime !== undefined) return undefined
  if (command !== undefined) return (signal) => probeCommand(scheduler, id, command, signal)
  // Whatever is said of an answer means that one is asked for.
  const asks = content !== undefined || scheme !== undefined || httpHeaders.length > 0
  const path = check.path ?? (asks ? '/' : undefined)
  if (address === undefined) {
    if (path === undefined && check.port === undefined && !listening) return undefined
    throw new Error(`process type ${processType} has no port that could be asked; only web has one`)
  }
  const target = targetOf(address, check)
  if (path === undefined) return (signal) => probePort(target, signal)
  const headers = Object.fromEntries(httpHeaders.map(({ name, value }) => [name.toLowerCase(), value]))
  const probe = {
    ...target,
    path,
    hostHeader,
    headers,
    ...(content !== undefined && { content }),
    ...(scheme !== undefined && { scheme }),
  }
  return (signal) => probeHttp(probe, signal)
}
