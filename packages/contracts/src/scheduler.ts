/**
 * Where an app's processes run. Two drivers keep this contract: `container` (isolated) and `process`
 * (on the host, for machines that can't have containers). plugin-apps knows only this.
 *
 * Life of a workload: start -> running -> (exited) -> remove. Life of an artifact: build -> used by
 * releases -> removeArtifact.
 * @module
 */
import { defineService } from '@kernel/kernel'
import type { ContainerExit, LogEntry, LogOptions, ProcessStream } from './containers.ts'
import type { ImageRunConfig } from './oci.ts'

/** How to build, in both drivers' terms. A builder (`dockerfile`, `node`, ...) makes it. */
export interface BuildPlan {
  builder: string
  /** For the container driver: a Dockerfile, by path in the source or as text. */
  dockerfile: { path: string } | { text: string }
  /** Text that replaces or creates `.dockerignore` for a generated Dockerfile. */
  dockerignore?: string
  /**
   * For the process driver: commands run in the unpacked source. Absent: this builder needs containers,
   * and `hostReason` says why.
   */
  host?: { commands: string[][]; env?: Record<string, string> }
  hostReason?: string
  /** Process types where the app has no Procfile: type -> shell line; empty: the image's own command. */
  processes: Record<string, string>
  /** Build arguments; shown in history. */
  buildArgs?: Record<string, string>
  target?: string
}

export interface BuildRequest {
  app: string
  buildId: string
  /** The source tree; the driver may change it. */
  dir: string
  plan: BuildPlan
  /** The app's config; available to build commands, kept in no image and no history. */
  secretEnv: Record<string, string>
  noCache?: boolean
  signal?: AbortSignal
}

/** What a release runs: an image id, or an unpacked tree of the process driver. */
export interface Artifact {
  /** `sha256:...` in both drivers. */
  ref: string
  /** Bytes, unpacked. */
  size: number
  config: ImageRunConfig
}

export interface WorkloadSpec {
  app: string
  releaseId: string
  processType: string
  /** From 1. */
  index: number
  /** `app.web.1`; unique at any moment. */
  name: string
  artifact: string
  /** argv; undefined: the artifact's own entrypoint and command. */
  command?: string[]
  env: Record<string, string>
  /** The port it listens on. The process driver picks a free one and sets PORT; the container driver sets PORT to this. Absent: no port. */
  port?: number
  /** Bytes. */
  memory?: number
  cpus?: number
  pids?: number
  labels?: Record<string, string>
  mounts?: Array<{ source: string; target: string; readOnly?: boolean }>
  restart?: { policy: 'no' | 'always' | 'on-failure'; maxRetries?: number }
  /** One-off: `run`, release tasks. Removed when it ends. */
  oneOff?: { tty?: boolean; stdin?: boolean; rows?: number; columns?: number }
}

export interface Workload {
  id: string
  name: string
  app: string
  releaseId: string
  processType: string
  index: number
  artifact: string
  /** `frozen`: it stands still, with its memory, until `thaw`. */
  status: 'running' | 'restarting' | 'exited' | 'frozen'
  exitCode?: number
  oomKilled?: boolean
  restartCount: number
  /** RFC 3339. */
  startedAt: string
  /** Where it answers, as seen from the host; absent where it has no port. */
  address?: { host: string; port: number }
  pid: number
  oneOff: boolean
}

export interface BuildLine {
  /** `step` is a heading (`-----> `), `detail` is output, `error` what failed. */
  kind: 'step' | 'detail' | 'error'
  text: string
}

export interface Scheduler {
  /** `isolated: false` comes with a warning that is shown at every start. */
  describe(): Promise<{ driver: 'container' | 'process'; isolated: boolean; warning?: string }>
  /** @throws failed with the reason; leaves nothing behind */
  build(request: BuildRequest, onLine: (line: BuildLine) => void): Promise<Artifact>
  /** Resolves once the process runs (not: is ready). @throws failed */
  start(spec: WorkloadSpec): Promise<Workload>
  inspect(id: string): Promise<Workload>
  list(filter?: { app?: string; oneOff?: boolean }): Promise<Workload[]>
  rename(id: string, name: string): Promise<void>
  /** `signal` (default SIGTERM), after `timeoutSec` (default 30) SIGKILL. Stopped ones stay stopped. */
  stop(id: string, options?: { signal?: string; timeoutSec?: number }): Promise<void>
  /** Starts again what was stopped, same environment. */
  restart(id: string): Promise<Workload>
  /**
   * Stops every process of a workload where it stands; nothing is lost but time. It can be stopped and removed
   * as it is. Again is fine. A driver has both of `freeze` and `thaw`, or neither. @throws conflict where it does not run
   */
  freeze?(id: string): Promise<void>
  /** Lets it go on; fine where it runs. @throws conflict where it has ended */
  thaw?(id: string): Promise<Workload>
  remove(id: string): Promise<void>
  wait(id: string, signal?: AbortSignal): Promise<ContainerExit>
  logs(id: string, options: LogOptions): Promise<AsyncIterable<LogEntry>>
  /** For one-offs: attached before the first byte. */
  attach(id: string): Promise<ProcessStream>
  resize(id: string, rows: number, columns: number): Promise<void>
  /** Runs a command beside a workload, with its environment. */
  exec(
    id: string,
    options: {
      command: string[]
      tty?: boolean
      stdin?: boolean
      env?: Record<string, string>
      /** The size that the terminal has before the command looks. */
      rows?: number
      columns?: number
    },
  ): Promise<{
    stream: ProcessStream
    exit: Promise<ContainerExit>
    resize(rows: number, columns: number): Promise<void>
    /** Ends the command; `signal` defaults to SIGTERM. A driver that can't leaves it out. */
    kill?(signal?: string): Promise<void>
  }>
  /** Artifacts that are in no release may be removed at any time by `removeArtifact`. */
  removeArtifact(ref: string): Promise<{ spaceReclaimed: number }>
  hasArtifact(ref: string): Promise<boolean>
  /** Every artifact that `build` made and nobody removed, by ref: what a kill left between a build and its release is found here. */
  listArtifacts?(): Promise<string[]>
}
export const Scheduler = defineService<Scheduler>('scheduler')
