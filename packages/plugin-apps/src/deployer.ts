/** Every kind of deploy: push, rebuild, change of config; rollbacks are in rollback.ts. @module */
import { randomBytes } from 'node:crypto'
import {
  conflict,
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
import { type Floor, type Transition, transition } from './pipeline/transition.ts'
import { Undo } from './pipeline/undo.ts'
import type { AppQueue, Work } from './queue.ts'
import type { AppJson } from './source/app-json.ts'
import type { AppRecord, ReleaseRecord } from './store/records.ts'

export interface Deployed {
  release: ReleaseInfo['id']
  urls: string[]
}

export interface RollOut extends Pick<Transition, 'thaw' | 'returns'> {
  app: AppRecord
  release: ReleaseRecord
  run: DeployRun
  undo: Undo
  signal: AbortSignal
  /** How the record of the app changes with the release, beside what every switch changes. */
  change(record: AppRecord): void
  /** What it throws does not take the switch back, but fails the deploy. */
  afterSwitch?(): Promise<void>
}

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
    return this.enqueue({ ...start, gitRev: source.rev }, work, onLine, async (run, undo, signal) => {
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
      return this.rollOut({
        app: { ...app, config },
        release,
        run,
        undo,
        signal,
        change,
        afterSwitch: postdeploy,
      })
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
      return this.rollOut({
        app: { ...app, config },
        release,
        run,
        undo,
        signal,
        change(record) {
          // Applied to what is there by then: a change without a restart may have come in between.
          record.config = next(record.config)
        },
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
  async rollOut({
    app,
    release,
    run,
    undo,
    signal,
    change,
    afterSwitch,
    thaw,
    returns,
  }: RollOut): Promise<Deployed> {
    const { platform, freezer } = this.#floor
    const { store, call } = platform
    const { output } = run
    await call(preDeploy, { app: app.name, releaseId: release.id, output })
    const counts = Object.entries(release.scale).map(([type, count]) => `${type}=${count}`)
    output.step(`Starting ${release.id}: ${counts.join(' ')}`)
    const commit: Transition['commit'] = (live, parting, thawed) =>
      store.transaction(() => {
        store.changeApp(app.name, (record) => {
          record.frozen = freezer.after(record, parting, thawed)
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
      ...(thaw && { thaw }),
      ...(returns && { returns }),
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
    await afterSwitch?.()
    return this.#tellSuccess(app.name, release, run)
  }

  /** Everything from here on happens after the switch, so that nothing of it can fail the deploy. */
  async #tellSuccess(name: string, release: ReleaseRecord, run: DeployRun): Promise<Deployed> {
    const { platform, routes } = this.#floor
    const { output } = run
    let urls: string[] = []
    try {
      if (hasWeb(release.procfile))
        urls = await urlsOf(name, routes.domains(platform.store.app(name)), platform)
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

  /** Runs `body` in the app's turn, with the record and the output of a deploy. */
  async enqueue<T>(
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
    } catch (failure) {
      // Before anything is taken back: that makes room.
      const problem = deployProblem(failure, platform.appsDir)
      await undo.takeBack()
      // Whoever ended it says why; what the stage says that was cut off is only that it was.
      const cutOff = signal.aborted && run.record.status === 'running'
      const error = cutOff ? asProblem(signal.reason) : problem
      if (run.record.status === 'running') await run.fail(error)
      throw error
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
