/** Bringing a release back from the freezer. @module */
import { checkDeploy, Problem, type Workload } from '@kernel/contracts'
import { asProblem } from '../failure.ts'
import type { Platform } from '../platform.ts'
import type { FrozenRelease } from '../store/records.ts'
import { awaitReady, processName, wokenPlan } from './check.ts'
import type { Freezer } from './freezer.ts'
import { type Launch, tellCounts } from './launch.ts'

type Request = Omit<Launch, 'slots' | 'suffix'>

/** The processes do not come back as they were; the release has to be started anew. */
export class NotWoken extends Problem {
  constructor(release: string, cause: unknown) {
    const { message } = asProblem(cause)
    super('failed', `${release} could not be brought back from the freezer: ${message}`, {
      hint: 'Without --frozen it is started anew.',
      cause,
    })
  }
}

/**
 * Thaws the processes side by side and sees that each answers; within the freezer's turn of the app.
 * @throws NotWoken; the reason of the signal; what a hook refuses with; each when all stand still again
 */
export async function wake(
  platform: Platform,
  freezer: Freezer,
  request: Request,
  frozen: FrozenRelease,
): Promise<Workload[]> {
  const { app, release, output, stage } = request
  try {
    const woken = await stage('start', () => thaw(platform, freezer, request, frozen))
    await stage('check', () =>
      Promise.all(
        woken.map(async (workload) => {
          await answers(platform, request, frozen, workload)
          await platform.call(checkDeploy, { app: app.name, releaseId: release.id, output, workload })
          output.detail(`${processName(workload)} is ready`)
        }),
      ),
    )
    await tellCounts(platform, { ...request, slots: frozen.processes })
    return woken
  } catch (error) {
    await layBack(platform, frozen)
    throw error
  }
}

async function thaw(
  { scheduler }: Platform,
  freezer: Freezer,
  { signal }: Request,
  frozen: FrozenRelease,
): Promise<Workload[]> {
  signal.throwIfAborted()
  try {
    await freezer.inspect(frozen)
    return await Promise.all(frozen.processes.map(({ id }) => scheduler.thaw?.(id) as Promise<Workload>))
  } catch (error) {
    throw new NotWoken(frozen.release, error)
  }
}

async function answers(
  { scheduler, settings }: Platform,
  { app, release, signal, hostHeader }: Request,
  frozen: FrozenRelease,
  workload: Workload,
): Promise<void> {
  if (!app.checks.enabled) return
  const plan = wokenPlan(app, release, workload.processType, { settings, hostHeader })
  try {
    await awaitReady(scheduler, workload, plan, signal)
  } catch (error) {
    signal.throwIfAborted()
    throw new NotWoken(frozen.release, error)
  }
}

/** Freezes again what was thawed; what has ended stays so, which shows when it is wanted next. */
export async function layBack({ scheduler, log }: Platform, { processes }: FrozenRelease): Promise<void> {
  for (const result of await Promise.allSettled(processes.map(({ id }) => scheduler.freeze?.(id))))
    if (result.status === 'rejected')
      log.warn('A process could not be frozen again', { error: result.reason })
}
