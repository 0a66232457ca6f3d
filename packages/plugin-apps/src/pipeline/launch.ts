/** Starting the processes of a release, all at once, and judging each. All pass, or none stays. @module */
import {
  checkDeploy,
  type DeployOutput,
  dockerArgsDeploy,
  failed,
  postContainerCreate,
  schedulerPostDeployProcess,
  type Workload,
  type WorkloadSpec,
} from '@kernel/contracts'
import { describeError } from '@kernel/kernel'
import { shellCommand } from '../command-line.ts'
import { webPort } from '../environment.ts'
import { asProblem, ignoreMissing } from '../failure.ts'
import type { Platform } from '../platform.ts'
import { processTypes } from '../source/procfile.ts'
import type { AppRecord, ReleaseRecord } from '../store/records.ts'
import { awaitReady, checkPlan, processName } from './check.ts'
import { lineSplitter } from './output.ts'

export interface Slot {
  type: string
  /** From 1. */
  index: number
}

/** Every place that a scale asks for, web first. */
export function slotsOf(procfile: Record<string, string>, scale: Record<string, number>): Slot[] {
  const types = processTypes(procfile).sort((a, b) => Number(b === 'web') - Number(a === 'web'))
  return types.flatMap((type) =>
    Array.from({ length: scale[type] ?? 0 }, (_, at) => ({ type, index: at + 1 })),
  )
}

export interface Launch {
  app: AppRecord
  release: ReleaseRecord
  slots: Slot[]
  /** Makes names differ from those that serve meanwhile. */
  suffix: string
  hostHeader: string
  output: DeployOutput
  signal: AbortSignal
  /** Whether the release has served before. */
  returns?: boolean | undefined
  /** Measures `start` and `check`. */
  stage<T>(stage: 'start' | 'check', work: () => Promise<T>): Promise<T>
}

/**
 * Starts the slots side by side and checks each as soon as it runs.
 * @returns in the order of the slots
 * @throws failed with the reason of the first that failed, after its last output was shown and every process
 *   that was started is gone again
 */
export async function launch(platform: Platform, request: Launch): Promise<Workload[]> {
  const { app, slots, output, signal, stage } = request
  const failure = new AbortController()
  const either = AbortSignal.any([signal, failure.signal])
  const started: Workload[] = []
  const works: Array<Promise<unknown>> = []
  const stopAtFirst = <T>(work: Promise<T>) =>
    work.catch((error) => {
      failure.abort(error)
      throw error
    })
  // The first failure ends the others; each is waited for, so that none is started behind the cleanup's back.
  const all = async <T>(these: Array<Promise<T>>): Promise<T[]> => {
    await Promise.allSettled(these)
    either.throwIfAborted()
    return Promise.all(these)
  }
  try {
    const starts = slots.map((slot) =>
      stopAtFirst(
        startProcess(platform, request, slot, either).then(async (workload) => {
          started.push(workload)
          await platform.call(postContainerCreate, {
            app: app.name,
            releaseId: request.release.id,
            output,
            workload,
          })
          return workload
        }),
      ),
    )
    const checks = starts.map((start) =>
      stopAtFirst(start.then((workload) => checkProcess(platform, request, workload, either))),
    )
    works.push(...starts, ...checks)
    for (const work of works) work.catch(() => {})
    const workloads = await stage('start', () => all(starts))
    await stage('check', () => all(checks))
    await tellCounts(platform, request)
    return workloads
  } catch (error) {
    failure.abort(error)
    await Promise.allSettled(works)
    await discard(platform, started)
    throw error
  }
}

async function startProcess(
  platform: Platform,
  request: Launch,
  { type, index }: Slot,
  signal: AbortSignal,
): Promise<Workload> {
  signal.throwIfAborted()
  const { app, release, suffix } = request
  const spec = await workloadSpec(platform, app, release, { type, index })
  try {
    return await platform.scheduler.start({ ...spec, name: `${spec.name}.${suffix}` })
  } catch (error) {
    throw failed(`${type}.${index} could not be started: ${asProblem(error).message}`, { cause: error })
  }
}

/** How a process of a release is started; its name is the final one, `app.web.1`. */
export async function workloadSpec(
  platform: Platform,
  app: AppRecord,
  release: ReleaseRecord,
  { type, index }: Slot,
): Promise<WorkloadSpec> {
  const { settings } = platform
  const line = release.procfile[type]
  const port = type === 'web' ? webPort(release.env, release.exposedPort) : undefined
  const args = await platform.call(
    dockerArgsDeploy,
    {
      env: processEnv(app, release, `${type}.${index}`, port),
      labels: { 'kernel.app': app.name, 'kernel.release': release.id, 'kernel.process': `${type}.${index}` },
      mounts: [],
    },
    { app: app.name, processType: type, index },
  )
  return {
    app: app.name,
    releaseId: release.id,
    processType: type,
    index,
    name: `${app.name}.${type}.${index}`,
    artifact: release.artifact,
    ...(line !== undefined && { command: shellCommand(line) }),
    ...args,
    ...(port !== undefined && { port }),
    ...(settings.processMemory !== undefined && { memory: settings.processMemory }),
    ...(settings.processPids !== undefined && { pids: settings.processPids }),
    restart: { policy: 'on-failure', maxRetries: settings.maxRetries },
  }
}

/** The config, and what the platform tells every process about itself. */
export function processEnv(
  app: AppRecord,
  release: ReleaseRecord,
  process: string,
  port?: number,
): Record<string, string> {
  return {
    ...release.env,
    ...(port !== undefined && { PORT: String(port) }),
    KERNEL_APP: app.name,
    KERNEL_RELEASE: release.id,
    KERNEL_PROCESS: process,
    ...(release.gitRev !== undefined && { GIT_REV: release.gitRev }),
  }
}

/** Seconds that a process without port and checks has to stay up where its release has shown before that it does. */
const returnUptimeSec = 0.3

async function checkProcess(platform: Platform, request: Launch, workload: Workload, signal: AbortSignal) {
  const { app, release, output, hostHeader, returns } = request
  const { settings, scheduler } = platform
  const name = processName(workload)
  try {
    if (app.checks.enabled) {
      const plan = checkPlan(app, release, workload.processType, { settings, hostHeader })
      plan.onWarning = (text) => output.error(text)
      if (returns) plan.uptimeSec = Math.min(plan.uptimeSec, returnUptimeSec)
      await awaitReady(scheduler, workload, plan, signal)
    }
    await platform.call(checkDeploy, { app: app.name, releaseId: release.id, output, workload })
    output.detail(`${name} is ready`)
  } catch (error) {
    // One failure is shown; the others are only ended by it.
    if (!signal.aborted) await showLastOutput(platform, workload, output)
    throw error
  }
}

/** Lines of a failed process that are shown. */
const shownLines = 50

/** What the process wrote last, since it mostly says why it is not fit. */
export async function showLastOutput(
  { scheduler, log }: Platform,
  workload: Workload,
  output: DeployOutput,
): Promise<void> {
  const lines: string[] = []
  const splitter = lineSplitter((line) => lines.push(line))
  try {
    const options = { stdout: true, stderr: true, tail: shownLines }
    for await (const { data } of await scheduler.logs(workload.id, options)) splitter.push(data)
  } catch (error) {
    log.warn('The output of a failed process can not be shown', { workload: workload.id, error })
  }
  splitter.end()
  const name = processName(workload)
  output.step(lines.length === 0 ? `${name} wrote no output` : `The last output of ${name}:`)
  for (const line of lines) output.detail(line)
}

/** Tells how many of each type there are now. */
export async function tellCounts(
  { call }: Platform,
  { app, release, slots, output }: Pick<Launch, 'app' | 'release' | 'slots' | 'output'>,
): Promise<void> {
  for (const processType of new Set(slots.map(({ type }) => type))) {
    const count = slots.filter(({ type }) => type === processType).length
    await call(schedulerPostDeployProcess, {
      app: app.name,
      releaseId: release.id,
      output,
      processType,
      count,
    })
  }
}

/** Seconds that a process gets that nobody has been sent to. */
const discardTimeoutSec = 3

/** Stops and removes processes that never served. What can't be removed, the next start removes. */
export async function discard({ scheduler, log }: Platform, workloads: Array<Pick<Workload, 'id' | 'name'>>) {
  await Promise.all(
    workloads.map(async ({ id, name }) => {
      try {
        await scheduler.stop(id, { timeoutSec: discardTimeoutSec }).catch(ignoreMissing)
        await scheduler.remove(id).catch(ignoreMissing)
      } catch (error) {
        log.warn(`Could not remove ${name}: ${describeError(error)}`, { workload: id })
      }
    }),
  )
}
