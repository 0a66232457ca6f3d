/**
 * The hooks of the push pipeline, by Dokku's trigger names, in the order in which they are called.
 * Events are clone-safe, but for `output` and `checkout`, which are functions.
 * @module
 */
import { defineHook } from '@kernel/kernel'
import type { BuildPlan, Workload } from './scheduler.ts'

/** Where a stage writes what the pusher reads. */
export interface DeployOutput {
  /** `=====> text` */
  section(text: string): void
  /** `-----> text` */
  step(text: string): void
  /** Seven spaces, text; many lines are split. */
  detail(text: string): void
  /** ` !     text` */
  error(text: string): void
}

/** A push that has arrived in quarantine: nothing of it counts before this hook has answered. */
export interface ReceivedBranch {
  app: string
  /** Without `refs/heads/`. */
  branch: string
  /** 40 hex digits. */
  rev: string
  /** Previous commit of the branch; absent at the first push. */
  oldRev?: string
  /** Name of the key or token that pushed. */
  user: string
  /** `git push -o`. */
  pushOptions: string[]
  /** Writes the tree of `rev` (submodules in, `.git` stripped) into an empty folder. */
  checkout(dir: string): Promise<void>
  output: DeployOutput
}

export interface AppEvent {
  app: string
}
export interface SourceEvent extends AppEvent {
  dir: string
  output: DeployOutput
}
export interface DeployEvent extends AppEvent {
  releaseId: string
  output: DeployOutput
}

/** @throws denied: the user may not run this command on this app. */
export const userAuth = defineHook.series<{ user: string; command: string[]; app?: string }>('user-auth')
/** Bail: `true` where the app exists. Asked by Git before a push is taken in. */
export const appExists = defineHook.bail<AppEvent, boolean>('app-exists')
/** Bail: the commit of the release that serves. Git asks after a crash, to put its branches in order. */
export const deployedRev = defineHook.bail<AppEvent, string>('deployed-rev')
/** Makes the app at its first push; declines where that is switched off. */
export const appMaybeCreate = defineHook.bail<AppEvent & { user: string }, boolean>('app-maybe-create')
export const postCreate = defineHook.series<AppEvent>('post-create')
export const postDelete = defineHook.series<AppEvent>('post-delete')
/** Nobody visits the new name yet. What keeps something of the app gets ready; throwing leaves the app as it was. */
export const preAppRename = defineHook.series<{ oldApp: string; app: string }>('pre-app-rename')
export const postAppRename = defineHook.series<{ oldApp: string; app: string }>('post-app-rename')
/** Deploys, or refuses by throwing. Answers the release. Git accepts the ref only afterwards. */
export const receiveBranch = defineHook.bail<ReceivedBranch, { release: string; urls: string[] }>(
  'receive-branch',
)
export const postExtract = defineHook.series<SourceEvent & { rev: string }>('post-extract')
/** The first answer names the builder. */
export const builderDetect = defineHook.bail<AppEvent & { dir: string }, string>('builder-detect')
export const preBuild = defineHook.series<SourceEvent & { builder: string }>('pre-build')
/** The plan of the builder named; a builder of a plugin answers its own name. */
export const builderBuild = defineHook.bail<SourceEvent & { builder: string }, BuildPlan>('builder-build')
export const postBuild = defineHook.series<SourceEvent & { builder: string; artifact: string }>('post-build')
export const preReleaseBuilder = defineHook.series<DeployEvent & { artifact: string }>('pre-release-builder')
export const postReleaseBuilder = defineHook.series<DeployEvent & { artifact: string }>(
  'post-release-builder',
)
export const preDeploy = defineHook.series<DeployEvent>('pre-deploy')
/** May change what a workload is started with. */
export const dockerArgsDeploy = defineHook.waterfall<
  {
    env: Record<string, string>
    labels: Record<string, string>
    mounts: Array<{ source: string; target: string; readOnly?: boolean }>
  },
  { app: string; processType: string; index: number }
>('docker-args-deploy')
export const postContainerCreate = defineHook.series<DeployEvent & { workload: Workload }>(
  'post-container-create',
)
/** @throws where the workload is not fit; the deploy is taken back. */
export const checkDeploy = defineHook.series<DeployEvent & { workload: Workload }>('check-deploy')
export const schedulerRegisterRetired = defineHook.series<AppEvent & { workload: Workload }>(
  'scheduler-register-retired',
)
export const schedulerPostDeployProcess = defineHook.series<
  DeployEvent & { processType: string; count: number }
>('scheduler-post-deploy-process')
/** The routes are about to be published; the last chance to refuse. */
export const corePostDeploy = defineHook.series<DeployEvent>('core-post-deploy')
export const postDeploy = defineHook.series<DeployEvent & { urls: string[] }>('post-deploy')
export const postConfigUpdate = defineHook.series<AppEvent & { keys: string[] }>('post-config-update')
export const postDomainsUpdate = defineHook.series<AppEvent & { domains: string[] }>('post-domains-update')
export const postScaleUpdate = defineHook.series<AppEvent & { scale: Record<string, number> }>(
  'post-scale-update',
)
/** Collects what plugins keep on disk. */
export const diskLedger = defineHook.waterfall<import('./ledger.ts').LedgerEntry[]>('disk-ledger')
