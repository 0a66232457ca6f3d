/** Every kind of deploy: push, rebuild, rollback, change of config. @module */
import { randomBytes } from 'node:crypto'
import {
  conflict,
  notFound,
  type OnLine,
  postDeploy,
  preDeploy,
  type ReleaseInfo,
  unavailable,
} from '@kernel/contracts'
import { pruneReleases } from './artifacts.ts'
import { DeployRun, type DeployStart } from './deploy-run.ts'
import type { Deploys } from './deploys.ts'
import { urlsOf } from './domain-names.ts'
import { type Environment, mergedConfig, sameConfig } from './environment.ts'
import { asProblem, deployProblem } from './failure.ts'
import { shortRev } from './names.ts'
import { buildSource, type Source } from './pipeline/build.ts'
import { slotsOf } from './pipeline/launch.ts'
import { runTask } from './pipeline/one-off.ts'
import { nextRelease, runReleaseTasks, scaleFor } from './pipeline/release.ts'
import { hasWeb } from './pipeline/routes.ts'
import { type Floor, transition } from './pipeline/transition.ts'
import { Undo } from './pipeline/undo.ts'
import type { AppQueue, Work } from './queue.ts'
import type { AppJson } from './source/app-json.ts'
import type { AppRecord, LiveProcess, ReleaseRecord } from './store/records.ts'

export interface Deployed {
  release: ReleaseInfo['id']
  urls: string[]
}

/** How the record of the app changes with the release, beside what every switch changes. */
type RecordChange = (record: AppRecord) => void

export class Deployer {
  readonly #floor: Floor
  readonly #queue: AppQueue
  readonly #deploys: Deploys

  constructor(floor: Floor, queue: AppQueue, deploys: Deploys) {
    this.#floor = floor
    this.#queue = queue
    this.#deploys = deploys
  }

  /** Builds a commit and deploys it, when what runs before it has ended. */
  async deploySource(
    start: DeployStart & { source: 'push' | 'rebuild' },
    source: Source,
    options: { branch?: string; supersedes?: boolean },
    onLine?: OnLine,
  ): Promise<Deployed> {
    const { platform } = this.#floor
    const { app: name, user } = start
    const label = `the deploy of ${shortRev(source.rev)}`
    const work: Work = { label, ...(options.supersedes && { rev: source.rev }) }
    return this.#enqueue({ ...start, gitRev: source.rev }, work, onLine, async (run, undo, signal) => {
      const app = platform.store.app(name)
      assertUnlocked(app)
      const built = await buildSource(platform, app, source, run, undo, signal)
      const { artifact, builder, procfile, appJson, defaults, exposedPort } = built
      const content = {
        artifact: artifact.ref,
        artifactSize: artifact.size,
        ...(exposedPort !== undefined && { exposedPort }),
        gitRev: source.rev,
        builder,
        procfile,
        healthchecks: appJson.healthchecks,
      }
      const origin = {
        source: start.source,
        description: `${start.source === 'push' ? 'Deploy' : 'Rebuild'} ${shortRev(source.rev)}`,
        ...(user !== undefined && { user }),
      }
      const config = { ...defaults, ...app.config }
      const scale = scaleFor(app, procfile, appJson.formation)
      const release = nextRelease(platform, app, content, origin, config, scale)
      run.output.step(`Releasing ${release.id} of ${name}`)
      await run.stage('release', () => runReleaseTasks(platform, app, release, appJson, run, signal))
      const change = (record: AppRecord) => {
        record.config = { ...defaults, ...record.config }
        record.builder.detected = builder
        record.deployBranch ??= options.branch
      }
      const postdeploy = () => this.#runPostdeploy(app, release, appJson, run)
      return this.#rollOut({ ...app, config }, release, run, undo, signal, change, postdeploy)
    })
  }

  async rebuild(name: string, options: { noCache?: boolean }, onLine?: OnLine): Promise<void> {
    const { store, repositories } = this.#floor.platform
    const { current } = store.app(name)
    const rev = current === undefined ? undefined : store.release(name, current).gitRev
    if (rev === undefined)
      throw conflict(`${name} has no commit that could be built again`, { hint: 'Push one first.' })
    const git = repositories()
    if (git === undefined)
      throw unavailable(`${name} can't be rebuilt: no plugin provides Git repositories`, {
        hint: 'Load the Git plugin, or push again.',
      })
    const source: Source = { rev, checkout: (dir) => git.checkout(name, rev, dir), ...options }
    await this.deploySource({ app: name, source: 'rebuild' }, source, {}, onLine)
  }

  /** Same artifact, config, Procfile and scale as an older release, as a new release. */
  async rollback(name: string, id: string | undefined, onLine?: OnLine): Promise<ReleaseRecord> {
    const { platform } = this.#floor
    const { store, scheduler } = platform
    this.#rollbackTarget(store.app(name), id)
    const start: DeployStart = { app: name, source: 'rollback' }
    const work = { label: `a rollback of ${name}` }
    const { release } = await this.#enqueue(start, work, onLine, async (run, undo, signal) => {
      const app = store.app(name)
      assertUnlocked(app)
      const target = this.#rollbackTarget(app, id)
      if (!(await scheduler.hasArtifact(target.artifact)))
        throw conflict(`The artifact of ${name} ${target.id} is gone`, { hint: 'Push that commit again.' })
      const origin = { source: 'rollback' as const, description: `Roll back to ${target.id}` }
      const next = nextRelease(platform, app, target, origin, target.config, target.scale)
      run.change({ ...(target.gitRev !== undefined && { gitRev: target.gitRev }) })
      run.output.step(`Rolling ${name} back to ${target.id}, as ${next.id}`)
      return this.#rollOut({ ...app, config: target.config }, next, run, undo, signal, (record) => {
        record.config = target.config
        record.builder.detected = target.builder
      })
    })
    return store.release(name, release)
  }

  #rollbackTarget(app: AppRecord, id: string | undefined): ReleaseRecord {
    const { store } = this.#floor.platform
    if (app.current === undefined) throw conflict(`${app.name} has no release yet`)
    const { number } = store.release(app.name, app.current)
    const target =
      id === undefined
        ? store.listReleases(app.name).find((release) => release.number < number && !release.pruned)
        : store.release(app.name, id)
    const see = { hint: `See what there is: releases:list ${app.name}` }
    if (target === undefined) throw notFound(`${app.name} has no release before ${app.current}`, see)
    if (target.id === app.current) throw conflict(`${target.id} is the current release of ${app.name}`, see)
    if (target.pruned) throw conflict(`The artifact of ${app.name} ${target.id} is no longer kept`, see)
    return target
  }

  /** A new release of what runs with another config; for use in the app's turn. */
  async reconfigure(
    name: string,
    next: (config: Environment) => Environment,
    description: string,
    signal: AbortSignal,
    onLine?: OnLine,
    work?: Work,
  ): Promise<void> {
    const { platform } = this.#floor
    const app = platform.store.app(name)
    const current = platform.store.release(name, app.current as string)
    const config = next(app.config)
    const run = new DeployRun(platform, { app: name, source: 'config' }, onLine)
    if (work) work.id = run.id
    await this.#perform(run, signal, async (undo) => {
      const origin = { source: 'config' as const, description }
      const scale = scaleFor(app, current.procfile)
      const release = nextRelease(platform, app, current, origin, config, scale)
      run.output.step(`Releasing ${release.id} of ${name}: ${description}`)
      return this.#rollOut({ ...app, config }, release, run, undo, signal, (record) => {
        // Applied to what is there by then: a change without a restart may have come in between.
        record.config = next(record.config)
      })
    })
  }

  /** Whether what runs was started with another config than there is now. */
  isOutdated(app: AppRecord, config: Environment = app.config): boolean {
    const { store } = this.#floor.platform
    if (app.current === undefined) return false
    return !sameConfig(store.release(app.name, app.current).env, mergedConfig(store.global().config, config))
  }

  /** Starts a release beside what runs and switches to it. */
  async #rollOut(
    app: AppRecord,
    release: ReleaseRecord,
    run: DeployRun,
    undo: Undo,
    signal: AbortSignal,
    change: RecordChange,
    afterSwitch: () => Promise<void> = async () => {},
  ): Promise<Deployed> {
    const { platform } = this.#floor
    const { store, call } = platform
    const { output } = run
    await call(preDeploy, { app: app.name, releaseId: release.id, output })
    const counts = Object.entries(release.scale).map(([type, count]) => `${type}=${count}`)
    output.step(`Starting ${release.id}: ${counts.join(' ')}`)
    const commit = (live: LiveProcess[]) =>
      store.transaction(() => {
        store.changeApp(app.name, (record) => {
          record.current = release.id
          record.lastRelease = release.number
          record.live = live
          record.stopped = false
          record.deployed = new Date().toISOString()
          record.scale = { ...record.scale, ...release.scale }
          change(record)
        })
        store.putRelease(release)
        run.succeed(release.id)
      })
    await transition(this.#floor, {
      app,
      release,
      start: slotsOf(release.procfile, release.scale),
      keep: [],
      suffix: `${release.id}.${randomBytes(2).toString('hex')}`,
      output,
      signal,
      stage: (stage, work) => run.stage(stage, work),
      commit,
      retired: async (ms) => {
        run.amendSpan('retire', ms)
        await pruneReleases(platform, app.name)
      },
    })
    undo.keep()
    await afterSwitch()
    return this.#tellSuccess(app.name, release, run)
  }

  /** Everything from here on happens after the switch, so that nothing of it can fail the deploy. */
  async #tellSuccess(name: string, release: ReleaseRecord, run: DeployRun): Promise<Deployed> {
    const { platform, routes } = this.#floor
    const { output } = run
    let urls: string[] = []
    try {
      if (hasWeb(release.procfile)) urls = await urlsOf(routes.domains(platform.store.app(name)), platform)
      await platform.call(postDeploy, { app: name, releaseId: release.id, output, urls })
    } catch (error) {
      platform.log.warn('A post-deploy handler failed', { app: name, error })
      output.error(
        `${release.id} is deployed, but what comes after a deploy failed: ${asProblem(error).message}`,
      )
    }
    output.step(run.spanLine())
    output.section('Application deployed:')
    for (const url of urls) output.detail(url)
    if (urls.length === 0) output.detail(`${name} ${release.id} (no web process)`)
    return { release: release.id, urls }
  }

  async #runPostdeploy(app: AppRecord, release: ReleaseRecord, { scripts }: AppJson, run: DeployRun) {
    const line = scripts.dokku.postdeploy
    if (line === undefined) return
    const { platform } = this.#floor
    const { output } = run
    try {
      const { signal } = platform
      await runTask(platform, { app, release, name: 'postdeploy task', line, output, signal })
    } catch (error) {
      output.error(`${release.id} serves, but its postdeploy task failed: ${asProblem(error).message}`)
    }
  }

  async #enqueue<T>(
    start: DeployStart,
    work: Work,
    onLine: OnLine | undefined,
    body: (run: DeployRun, undo: Undo, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const run = new DeployRun(this.#floor.platform, start, onLine)
    this.#deploys.add(run)
    const whole: Work = {
      ...work,
      id: run.id,
      onWait: (running) => run.output.step(`Waiting for ${running} to end`),
    }
    try {
      return await this.#queue.run(start.app, whole, (signal) =>
        this.#perform(run, signal, (undo) => body(run, undo, signal)),
      )
    } catch (error) {
      if (run.record.status === 'waiting') await run.fail(error)
      this.#deploys.remove(run)
      throw asProblem(error)
    }
  }

  /** Runs a deploy in its turn; where it fails, everything is taken back before it says so. */
  async #perform<T>(run: DeployRun, signal: AbortSignal, body: (undo: Undo) => Promise<T>): Promise<T> {
    const { platform } = this.#floor
    const undo = new Undo(platform.log)
    this.#deploys.add(run)
    try {
      run.begin()
      signal.throwIfAborted()
      const result = await body(undo)
      await run.finish()
      return result
    } catch (error) {
      // Before anything is taken back: that makes room.
      const problem = deployProblem(error, platform.appsDir)
      await undo.takeBack()
      if (run.record.status === 'running') await run.fail(problem)
      throw problem
    } finally {
      this.#deploys.remove(run)
    }
  }
}

/** For `reconfigure`: the config as it is. */
export const same = (config: Environment): Environment => config

/** @throws conflict */
export function assertUnlocked(app: AppRecord): void {
  if (app.locked)
    throw conflict(`${app.name} is locked against deploys`, { hint: `Unlock it: apps:unlock ${app.name}` })
}
