/** Back to an older release: by new processes of its artifact, or by those that stand in the freezer. @module */
import { conflict, notFound, type OnLine } from '@kernel/contracts'
import type { DeployStart } from './deploy-run.ts'
import { assertUnlocked, type Deployer } from './deployer.ts'
import { nextRelease } from './pipeline/release.ts'
import type { Floor } from './pipeline/transition.ts'
import type { AppRecord, FrozenRelease, ReleaseRecord } from './store/records.ts'
import type { Store } from './store/store.ts'

export interface RollbackRequest {
  app: string
  /** `v3` or `3`; absent: the release before the current one. */
  id?: string
  /** True: only by the freezer; false: never by it. */
  frozen?: boolean
}

/** `3` means `v3`. */
export const releaseId = (id: string): string => (/^[1-9]\d*$/.test(id) ? `v${id}` : id)

/** Same artifact, config, Procfile and scale as an older release, as a new release. */
export async function rollBack(
  { platform, freezer }: Floor,
  deployer: Deployer,
  { app: name, id, frozen }: RollbackRequest,
  onLine?: OnLine,
): Promise<ReleaseRecord> {
  const { store, scheduler } = platform
  // Refused before it waits for its turn, where that can be said now.
  targetOf(store, store.app(name), id)
  if (frozen === true && !freezer.isAble)
    throw conflict(`${name} has nothing in the freezer: processes of this machine can not be frozen here`)
  const start: DeployStart = { app: name, source: 'rollback' }
  const work = { label: `a rollback of ${name}` }
  const { release } = await deployer.enqueue(start, work, onLine, async (run, undo, signal) => {
    const app = store.app(name)
    assertUnlocked(app)
    const target = targetOf(store, app, id)
    if (target.gitRev !== undefined) run.note({ gitRev: target.gitRev })
    const { config } = target
    const origin = { source: 'rollback' as const, description: `Roll back to ${target.id}` }
    let next = nextRelease(platform, app, target, origin, config, target.scale)
    const thaw = frozen === false ? undefined : frozenOf(store, app, target, next, frozen === true)
    if (frozen === true && thaw === undefined)
      throw conflict(`${name} ${target.id} is not in the freezer`, {
        hint:
          (app.keepFrozen ?? 0) > 0
            ? `See what is: releases:list ${name}`
            : `Keep the releases that served there: apps:set ${name} keep-frozen 1`,
      })
    if (thaw === undefined && !(await scheduler.hasArtifact(target.artifact)))
      throw conflict(`The artifact of ${name} ${target.id} is gone`, { hint: 'Push that commit again.' })
    run.output.step(`Rolling ${name} back to ${target.id}, as ${next.id}`)
    if (thaw) {
      const { env, configHash } = store.release(name, thaw.release)
      if (configHash !== next.configHash)
        run.output.error(`The global config has changed since; to take it in: ps:restart ${name}`)
      // What comes back runs with what it was started with.
      next = { ...next, env, configHash }
    }
    return deployer.rollOut({
      app: { ...app, config },
      release: next,
      run,
      undo,
      signal,
      returns: true,
      ...(thaw && { thaw: { frozen: thaw, only: frozen === true } }),
      change(record) {
        record.config = config
        record.builder.detected = target.builder
      },
    })
  })
  return store.release(name, release)
}

function targetOf(store: Store, app: AppRecord, id: string | undefined): ReleaseRecord {
  if (app.current === undefined) throw conflict(`${app.name} has no release yet`)
  const { number } = store.release(app.name, app.current)
  const target =
    id === undefined
      ? store.listReleases(app.name).find((release) => release.number < number && !release.pruned)
      : store.release(app.name, releaseId(id))
  const see = { hint: `See what there is: releases:list ${app.name}` }
  if (target === undefined) throw notFound(`${app.name} has no release before ${app.current}`, see)
  if (target.id === app.current) throw conflict(`${target.id} is the current release of ${app.name}`, see)
  if (target.pruned) throw conflict(`The artifact of ${app.name} ${target.id} is no longer kept`, see)
  return target
}

/**
 * The frozen release that is `target`, or the same as it: a rollback to v1 is frozen as v4, and still v1's content.
 * Where the global config has changed since, it is not what a start would give, and has to be asked for.
 */
function frozenOf(
  store: Store,
  app: AppRecord,
  target: ReleaseRecord,
  next: ReleaseRecord,
  asked: boolean,
): FrozenRelease | undefined {
  return app.frozen?.find(({ release: id }) => {
    const release = store.findRelease(app.name, id)
    if (release === undefined || (!asked && release.configHash !== next.configHash)) return false
    return release.id === target.id || content(release) === content(target)
  })
}

/** What makes two releases the same in all that runs. */
function content({
  artifact,
  configHash,
  procfile,
  scale,
  healthchecks,
  exposedPort,
}: ReleaseRecord): string {
  const sorted = (record: object) => Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))
  const parts = [artifact, configHash, sorted(procfile), sorted(scale), sorted(healthchecks), exposedPort]
  return JSON.stringify(parts)
}
