/** What is kept of apps, releases and deploys. Values of config are in here and go nowhere else. @module */
import type { DeployInfo, ReleaseInfo } from '@kernel/contracts'
import type { Healthcheck } from '../source/app-json.ts'

/** A process that belongs to the app now. Every other workload of the app is on its way out, or in the freezer. */
export interface LiveProcess {
  /** Of the workload. */
  id: string
  type: string
  /** From 1. */
  index: number
  /** How often it was started again for its liveness checks, with the restarts that the scheduler forgot by that. */
  restarts?: number
  /** Why it gets no requests: the readiness check that it does not pass. A new daemon goes on from there. */
  unready?: string
}

/** A release that served and stands still since. */
export interface FrozenRelease {
  release: string
  /** All that ran of it; `startedAt` (RFC 3339) tells whether one was started again since. */
  processes: Array<LiveProcess & { startedAt: string }>
}

export interface BuilderSettings {
  selected?: string
  detected?: string
  base?: string
  buildDir?: string
  dockerfilePath?: string
}

export interface CheckOverrides {
  enabled: boolean
  path?: string
  timeout?: number
  attemptTimeout?: number
  waitToRetire?: number
}

export interface AppRecord {
  name: string
  /** RFC 3339. */
  created: string
  deployed?: string
  /** Set by the owner, or the branch of the first deploy. */
  deployBranch?: string
  locked: boolean
  /** Stopped by its owner: nothing is started until they say so. */
  stopped: boolean
  /** Being destroyed: what a crash left of it is finished at the next start. */
  destroying: boolean
  /** Its old name, until all that goes by the name has moved: what a crash left of that is done at the next start. */
  renamedFrom?: string
  config: Record<string, string>
  /** Undefined: `name.GLOBAL`. */
  domains?: string[]
  /** Counts that the owner or the first deploy decided. */
  scale: Record<string, number>
  builder: BuilderSettings
  checks: CheckOverrides
  /** Number of the newest release. */
  lastRelease: number
  /** Id of the release that serves. */
  current?: string
  live: LiveProcess[]
  /** How many releases stay in the freezer after they have served; absent: none. */
  keepFrozen?: number
  /** Newest first. */
  frozen?: FrozenRelease[]
}

export interface ReleaseRecord {
  app: string
  /** `v3` */
  id: string
  number: number
  source: ReleaseInfo['source']
  description: string
  artifact: string
  /** Bytes. */
  artifactSize: number
  /** First TCP port that the image exposes. */
  exposedPort?: number
  gitRev?: string
  builder: string
  /** The app's own config; a rollback makes it the app's again. */
  config: Record<string, string>
  /** What processes get: the global config with the app's above it. */
  env: Record<string, string>
  configHash: string
  procfile: Record<string, string>
  scale: Record<string, number>
  healthchecks: Record<string, Healthcheck[]>
  created: string
  user?: string
  /** The artifact is gone, and the values of the config with it. */
  pruned: boolean
}

export interface DeployRecord extends DeployInfo {
  /** Built, but in no release yet: removed at the next start where the deploy did not end. */
  artifact?: string
}

export interface GlobalRecord {
  config: Record<string, string>
  /** Undefined: as in the plugin's settings. */
  domains?: string[]
}

export function newApp(name: string, created: string): AppRecord {
  return {
    name,
    created,
    locked: false,
    stopped: false,
    destroying: false,
    config: {},
    scale: {},
    builder: {},
    checks: { enabled: true },
    lastRelease: 0,
    live: [],
  }
}

/**
 * Whether a workload is of this plugin. A container that somebody runs by hand from an app's image may carry the
 * labels of the image; it is theirs, and never removed.
 */
export const isReleaseId = (id: string): boolean => /^v[1-9]\d*$/.test(id)

/** As users of the services see it. */
export function releaseInfo(
  release: ReleaseRecord,
  { current, frozen = [] }: Pick<AppRecord, 'current' | 'frozen'>,
): ReleaseInfo {
  const { id, number, source, description, artifact, gitRev, configHash, procfile, scale, created, user } =
    release
  return {
    id,
    number,
    source,
    description,
    artifact,
    ...(gitRev !== undefined && { gitRev }),
    configHash,
    procfile,
    scale,
    created,
    ...(user !== undefined && { user }),
    current: id === current,
    ...(release.pruned && { pruned: true }),
    ...(frozen.some((one) => one.release === id) && { frozen: true }),
  }
}
