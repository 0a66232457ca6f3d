/** Bringing a release back from the freezer. @module */
import { checkDeploy, Problem, type Workload } from '@kernel/contracts'
import { asProblem } from '../failure.ts'
import type { Platform } from '../platform.ts'
import type { FrozenRelease } from '../store/records.ts'
import { awaitReady, processName, wokenPlan } from './check.ts'
import type { Freezer } from './freezer.ts'
import { type Launch, tellCounts } from './launch.ts'

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
 * @throws NotWoken, or the reason of the signal, when all stand still again
 */
export async function wake(
  platform: Platform,
  freezer: Freezer,
  request: Omit<Launch, 'slots' | 'suffix'>,
  frozen: FrozenRelease,
): Promise<Workload[]> {
  const { app, release, output, signal, hostHeader, stage } = request
  const { scheduler, settings, call } = platform
  try {
    const woken = await stage('start', async () => {
      await freezer.inspect(frozen)
      return Promise.all(frozen.processes.map(({ id }) => scheduler.thaw?.(id) as Promise<Workload>))
    })
    await stage('check', () =>
      Promise.all(
        woken.map(async (workload) => {
          if (app.checks.enabled) {
            const plan = wokenPlan(app, release, workload.processType, { settings, hostHeader })
            await awaitReady(scheduler, workload, plan, signal)
          }
          await call(checkDeploy, { app: app.name, releaseId: release.id, output, workload })
          output.detail(`${processName(workload)} is ready`)
        }),
      ),
    )
    await tellCounts(platform, { ...request, slots: frozen.processes })
    return woken
  } catch (error) {
    await layBack(platform, frozen)
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
