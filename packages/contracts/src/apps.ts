/**
 * Apps, as their owner sees them. All services here are provided by plugin-apps, and used by the product's
 * API, hence by the CLI and the dashboard. App names: `^[a-z0-9][a-z0-9.-]*$`, at most 63 characters.
 * @module
 */
import { defineService } from '@kernel/kernel'
import type { ContainerExit, OutputChunk, ProcessStream } from './containers.ts'
import type { Workload } from './scheduler.ts'

export type AppState = 'created' | 'deploying' | 'running' | 'stopped' | 'crashed'

export interface AppSummary {
  name: string
  state: AppState
  urls: string[]
  /** `v3`; absent before the first deploy. */
  release?: string
  /** RFC 3339. */
  created: string
  deployed?: string
  /** Running processes: type -> count. */
  processes: Record<string, number>
  /** An id of the deploy that runs now. */
  deploy?: string
  locked: boolean
}

export interface AppReport extends AppSummary {
  builder: { selected?: string; detected?: string; base?: string }
  deployBranch: string
  /** How many releases are kept in the freezer after they have served; 0: none. */
  keepFrozen: number
  /** Releases that are in it now, newest first. */
  frozen: string[]
  gitRev?: string
  domains: string[]
  scale: Record<string, number>
  /** Bytes. */
  artifactSize?: number
  driver: 'container' | 'process'
}

export interface Apps {
  list(): Promise<AppSummary[]>
  report(app: string): Promise<AppReport>
  /** @throws invalid name; conflict */
  create(app: string): Promise<AppSummary>
  /** Stops and removes all: processes, releases, artifacts, repository, domains, config. */
  destroy(app: string): Promise<void>
  rename(app: string, newName: string): Promise<void>
  /** Keys: `deploy-branch`, `keep-frozen`; empty value clears. @throws invalid */
  set(app: string, key: string, value: string): Promise<void>
  lock(app: string): Promise<void>
  unlock(app: string): Promise<void>
}
export const Apps = defineService<Apps>('apps')

/** Config: the environment of an app. `global` as app name: for all apps. */
export interface AppConfig {
  all(app: string): Promise<Record<string, string>>
  /**
   * One change, one restart (unless `restart` is false or the app does not run).
   * Names: `[A-Za-z_][A-Za-z0-9_]*`. `set` and `unset` may come together.
   */
  update(
    app: string,
    change: { set?: Record<string, string>; unset?: string[]; restart?: boolean },
    onLine?: OnLine,
  ): Promise<Record<string, string>>
}
export const AppConfig = defineService<AppConfig>('app-config')

export interface Domains {
  list(app: string): Promise<{ domains: string[]; urls: string[] }>
  /** @throws conflict where another app has it; invalid */
  add(app: string, domains: string[]): Promise<void>
  remove(app: string, domains: string[]): Promise<void>
  set(app: string, domains: string[]): Promise<void>
  /** Back to `app.GLOBAL`. */
  reset(app: string): Promise<void>
  global(): Promise<string[]>
  setGlobal(domains: string[]): Promise<void>
}
export const Domains = defineService<Domains>('domains')

export interface ProcessReport {
  /** `web.1` */
  name: string
  type: string
  index: number
  workloadId: string
  release: string
  status: Workload['status']
  startedAt: string
  exitCode?: number
  /** By its restart policy, and for its liveness checks. */
  restarts: number
  address?: string
  /** Why it gets no requests though it runs: the readiness check that it does not pass. */
  notReady?: string
}
export type OnLine = (line: DeployLine) => void

export interface Processes {
  report(
    app: string,
  ): Promise<{ app: string; state: AppState; scale: Record<string, number>; processes: ProcessReport[] }>
  /** Sets counts; starts and stops what is needed. Types unknown to the release are refused. */
  scale(app: string, counts: Record<string, number>, onLine?: OnLine): Promise<Record<string, number>>
  /** New processes pass their checks before the old are retired. `type`: only that one. */
  restart(app: string, options?: { type?: string }, onLine?: OnLine): Promise<void>
  stop(app: string, onLine?: OnLine): Promise<void>
  start(app: string, onLine?: OnLine): Promise<void>
  /** Builds the deployed commit again and deploys it. */
  rebuild(app: string, options?: { noCache?: boolean }, onLine?: OnLine): Promise<void>
  /** A one-off process in the environment of the current release. */
  run(
    app: string,
    options: {
      command: string[]
      tty?: boolean
      stdin?: boolean
      rows?: number
      columns?: number
      env?: Record<string, string>
    },
  ): Promise<RunningCommand>
  /** A command inside a running process (`web.1`; default: the first web). */
  enter(
    app: string,
    options: {
      process?: string
      command: string[]
      tty?: boolean
      stdin?: boolean
      rows?: number
      columns?: number
    },
  ): Promise<RunningCommand>
}
export const Processes = defineService<Processes>('processes')

export interface RunningCommand {
  stream: ProcessStream
  exit: Promise<ContainerExit>
  resize(rows: number, columns: number): Promise<void>
  /** Ends it. */
  kill(signal?: string): Promise<void>
}

export interface ReleaseInfo {
  /** `v3`, counted an app. */
  id: string
  number: number
  /** Where it came from: a push, a rollback, a config change, a rebuild. */
  source: 'push' | 'rollback' | 'config' | 'rebuild'
  description: string
  artifact: string
  gitRev?: string
  /** Hash over the config; values are not shown. */
  configHash: string
  procfile: Record<string, string>
  scale: Record<string, number>
  created: string
  user?: string
  current: boolean
  /** Set where the artifact is gone, so that no rollback leads here. */
  pruned?: boolean
  /** Set where its processes stand in the freezer: a rollback thaws them. */
  frozen?: boolean
}
export interface Releases {
  /** Newest first. */
  list(app: string): Promise<ReleaseInfo[]>
  inspect(app: string, id: string): Promise<ReleaseInfo>
  /**
   * To the release before the current one, or to `id` (`v3` or `3`): same artifact, its config, Procfile and scale,
   * no build. Makes a new release. `frozen` insists on the processes in the freezer (true) or starts new ones
   * (false); where nothing is said, they are used where there are any. @throws conflict where none are there
   */
  rollback(app: string, id?: string, options?: { frozen?: boolean }, onLine?: OnLine): Promise<ReleaseInfo>
}
export const Releases = defineService<Releases>('releases')

export type DeployStage =
  | 'receive'
  | 'extract'
  | 'build'
  | 'release'
  | 'start'
  | 'check'
  | 'switch'
  | 'retire'
export interface DeployInfo {
  id: string
  app: string
  /** `superseded`: a newer push took its place while it waited; `cancelled`: somebody ended it. */
  status: 'waiting' | 'running' | 'succeeded' | 'failed' | 'superseded' | 'cancelled'
  source: ReleaseInfo['source']
  gitRev?: string
  user?: string
  release?: string
  error?: string
  started: string
  finished?: string
  /** Milliseconds by stage, in order. */
  spans: Array<{ stage: DeployStage; ms: number }>
}
/** A line of a deploy's output, as the pusher sees it. */
export interface DeployLine {
  kind: 'section' | 'step' | 'detail' | 'error'
  text: string
}
export interface Deploys {
  /** Newest first; of every app where none is named. */
  list(app?: string, options?: { limit?: number }): Promise<DeployInfo[]>
  inspect(id: string): Promise<DeployInfo>
  /** What was written so far, then live to the end where `follow` is set. */
  output(
    id: string,
    options?: { follow?: boolean; signal?: AbortSignal },
  ): AsyncIterable<DeployLine & { time: string }>
  /**
   * Ends it where it waits or runs, and takes everything back that it did. `by` is told to whoever waits for it.
   * @throws conflict where it has ended
   */
  cancel(id: string, by?: string): Promise<void>
  /** Removes records and outputs of ended deploys, all but the newest `keep` (default: the setting). */
  prune(app: string, keep?: number): Promise<{ removed: number }>
}
export const Deploys = defineService<Deploys>('deploys')

export interface AppLogLine extends OutputChunk {
  time: string
  /** `web.1` */
  process: string
}
export interface AppLogs {
  /** Lines of all processes in order of time; `follow` goes on over restarts and deploys. */
  read(
    app: string,
    options?: { process?: string; tail?: number; follow?: boolean; since?: bigint; signal?: AbortSignal },
  ): AsyncIterable<AppLogLine>
}
export const AppLogs = defineService<AppLogs>('app-logs')

export interface Builders {
  /** Names known, in the order of detection. */
  list(): Promise<string[]>
  report(app: string): Promise<{
    selected?: string
    detected?: string
    base?: string
    buildDir?: string
    dockerfilePath?: string
  }>
  /** Keys: `selected`, `base`, `build-dir`, `dockerfile-path`; empty value clears. @throws invalid */
  set(app: string, key: string, value: string): Promise<void>
}
export const Builders = defineService<Builders>('builders')

export interface CheckSettings {
  enabled: boolean
  /** HTTP path, from app.json's healthchecks or set here; absent: the port answers. */
  path?: string
  /** Seconds until a process must be ready; default 60. */
  timeout: number
  /** Seconds of a single attempt. */
  attemptTimeout: number
  /** Seconds that old processes may finish their requests; default 60. */
  waitToRetire: number
}
export interface Checks {
  report(app: string): Promise<CheckSettings>
  /** Keys: `path`, `timeout`, `attempt-timeout`, `wait-to-retire`; empty value clears. */
  set(app: string, key: string, value: string): Promise<void>
  enable(app: string): Promise<void>
  disable(app: string): Promise<void>
  /** Checks what runs now. */
  run(app: string, onLine?: OnLine): Promise<{ passed: boolean }>
}
export const Checks = defineService<Checks>('checks')
