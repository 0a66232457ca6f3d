/**
 * Containers. The shapes of `create` and `inspect` are the Docker Engine API's own (v1.51, definitions
 * ContainerConfig, HostConfig, ContainerInspectResponse), field for field: they are the field's standard,
 * and one set of names spares a mapping on every way in and out.
 * @module
 */
import { defineService } from '@kernel/kernel'
import type { EndpointSettings } from './networks.ts'
import type { HealthcheckConfig, ImageRunConfig } from './oci.ts'

export interface ContainerConfig extends ImageRunConfig {
  Hostname?: string
  Domainname?: string
  AttachStdin?: boolean
  AttachStdout?: boolean
  AttachStderr?: boolean
  Tty?: boolean
  OpenStdin?: boolean
  StdinOnce?: boolean
  Image: string
  NetworkDisabled?: boolean
  /** Seconds before SIGKILL at stop; default 10. */
  StopTimeout?: number
}

export interface PortBinding {
  HostIp?: string
  /** Empty or "0": one is picked. */
  HostPort?: string
}
export interface RestartPolicy {
  Name: '' | 'no' | 'always' | 'unless-stopped' | 'on-failure'
  MaximumRetryCount?: number
}
export interface Mount {
  Type: 'bind' | 'volume' | 'tmpfs'
  Source?: string
  Target: string
  ReadOnly?: boolean
  TmpfsOptions?: { SizeBytes?: number; Mode?: number }
  VolumeOptions?: {
    NoCopy?: boolean
    Labels?: Record<string, string>
    Subpath?: string
    /** For a volume that is made; `Options` are the local driver's: type, o, device. */
    DriverConfig?: { Name?: string; Options?: Record<string, string> }
  }
  BindOptions?: { Propagation?: string; CreateMountpoint?: boolean; NonRecursive?: boolean }
}

/** HostConfig, as far as the engine acts on it; other fields are kept and shown by inspect. */
export interface HostConfig {
  Binds?: string[]
  Mounts?: Mount[]
  Tmpfs?: Record<string, string>
  NetworkMode?: string
  PortBindings?: Record<string, PortBinding[]>
  PublishAllPorts?: boolean
  RestartPolicy?: RestartPolicy
  AutoRemove?: boolean
  Privileged?: boolean
  ReadonlyRootfs?: boolean
  CapAdd?: string[]
  CapDrop?: string[]
  SecurityOpt?: string[]
  GroupAdd?: string[]
  Init?: boolean
  /** Bytes. */
  Memory?: number
  MemorySwap?: number
  MemoryReservation?: number
  NanoCpus?: number
  CpuShares?: number
  CpuPeriod?: number
  CpuQuota?: number
  CpusetCpus?: string
  PidsLimit?: number | null
  Ulimits?: Array<{ Name: string; Soft: number; Hard: number }>
  ShmSize?: number
  Sysctls?: Record<string, string>
  Devices?: Array<{ PathOnHost: string; PathInContainer: string; CgroupPermissions: string }>
  Dns?: string[]
  DnsSearch?: string[]
  DnsOptions?: string[]
  ExtraHosts?: string[]
  LogConfig?: { Type?: string; Config?: Record<string, string> }
  PidMode?: string
  IpcMode?: string
  UTSMode?: string
  UsernsMode?: string
  CgroupnsMode?: string
  Runtime?: string
  OomScoreAdj?: number
  MaskedPaths?: string[] | null
  ReadonlyPaths?: string[] | null
  [other: string]: unknown
}

export interface ContainerCreate extends ContainerConfig {
  HostConfig?: HostConfig
  NetworkingConfig?: { EndpointsConfig?: Record<string, EndpointSettings> }
}

export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead'

export interface ContainerState {
  Status: ContainerStatus
  Running: boolean
  Paused: boolean
  Restarting: boolean
  OOMKilled: boolean
  Dead: boolean
  Pid: number
  ExitCode: number
  Error: string
  /** RFC 3339 with nanoseconds; `0001-01-01T00:00:00Z` where it never happened. */
  StartedAt: string
  FinishedAt: string
  Health?: {
    Status: 'none' | 'starting' | 'healthy' | 'unhealthy'
    FailingStreak: number
    Log: Array<{ Start: string; End: string; ExitCode: number; Output: string }>
  }
}

export interface MountPoint {
  Type: 'bind' | 'volume' | 'tmpfs'
  Name?: string
  Source: string
  Destination: string
  Driver?: string
  Mode: string
  RW: boolean
  Propagation: string
}

/** `GET /containers/{id}/json`. */
export interface ContainerInspect {
  Id: string
  Created: string
  Path: string
  Args: string[]
  State: ContainerState
  /** `sha256:...`. */
  Image: string
  ResolvConfPath: string
  HostnamePath: string
  HostsPath: string
  LogPath: string
  /** With the leading `/`. */
  Name: string
  RestartCount: number
  Driver: string
  Platform: string
  MountLabel: string
  ProcessLabel: string
  AppArmorProfile: string
  ExecIDs: string[] | null
  HostConfig: HostConfig
  GraphDriver: { Name: string; Data: Record<string, string> }
  SizeRw?: number
  SizeRootFs?: number
  Mounts: MountPoint[]
  Config: ContainerConfig & { Healthcheck?: HealthcheckConfig }
  NetworkSettings: {
    SandboxID: string
    SandboxKey: string
    Ports: Record<string, PortBinding[] | null>
    IPAddress: string
    IPPrefixLen: number
    Gateway: string
    MacAddress: string
    Bridge: string
    HairpinMode?: boolean
    LinkLocalIPv6Address?: string
    LinkLocalIPv6PrefixLen?: number
    SecondaryIPAddresses?: null
    SecondaryIPv6Addresses?: null
    EndpointID?: string
    GlobalIPv6Address?: string
    GlobalIPv6PrefixLen?: number
    IPv6Gateway?: string
    Networks: Record<string, EndpointSettings>
  }
}

/** `GET /containers/json`. */
export interface ContainerSummary {
  Id: string
  Names: string[]
  Image: string
  ImageID: string
  Command: string
  /** Seconds since 1970. */
  Created: number
  Ports: Array<{ IP?: string; PrivatePort: number; PublicPort?: number; Type: string }>
  SizeRw?: number
  SizeRootFs?: number
  Labels: Record<string, string>
  State: ContainerStatus
  Status: string
  HostConfig: { NetworkMode: string }
  NetworkSettings: { Networks: Record<string, EndpointSettings> }
  Mounts: MountPoint[]
}

/** A piece of output: stream 1 is stdout, 2 is stderr (a TTY has only 1). */
export interface OutputChunk {
  stream: 1 | 2
  data: Uint8Array
}

/** Both directions of an attached process. */
export interface ProcessStream {
  /** Ends after the last byte. */
  output: AsyncIterable<OutputChunk>
  write(data: Uint8Array): Promise<void>
  /** EOF to the process; output goes on. */
  closeInput(): Promise<void>
  /** Lets go of the stream; the process lives on. */
  detach(): void
}

export interface LogEntry extends OutputChunk {
  /** RFC 3339 with nanoseconds, padded. */
  time: string
}

export interface LogOptions {
  stdout?: boolean
  stderr?: boolean
  follow?: boolean
  /** Lines from the end; undefined: all. */
  tail?: number
  /** Nanoseconds since 1970. */
  since?: bigint
  until?: bigint
  signal?: AbortSignal
}

export interface ExecCreate {
  Cmd: string[]
  AttachStdin?: boolean
  AttachStdout?: boolean
  AttachStderr?: boolean
  Tty?: boolean
  Env?: string[]
  WorkingDir?: string
  User?: string
  Privileged?: boolean
  DetachKeys?: string
  ConsoleSize?: [rows: number, columns: number]
}

/** `GET /exec/{id}/json`. */
export interface ExecInspect {
  ID: string
  ContainerID: string
  Running: boolean
  ExitCode: number | null
  Pid: number
  CanRemove: boolean
  OpenStdin: boolean
  OpenStdout: boolean
  OpenStderr: boolean
  DetachKeys: string
  ProcessConfig: {
    tty: boolean
    entrypoint: string
    arguments: string[]
    privileged: boolean
    user?: string
  }
}

/** A file in a container, as `X-Docker-Container-Path-Stat` tells it. */
export interface ContainerPathStat {
  name: string
  /** Bytes. */
  size: number
  /** Go's os.FileMode: permissions below, kind above (1<<31 folder, 1<<27 symbolic link, ...). */
  mode: number
  /** RFC 3339. */
  mtime: string
  /** Where a symbolic link leads in the end, seen from inside; empty for what is none. */
  linkTarget: string
}

/** Kind 0: modified, 1: added, 2: deleted. */
export interface ContainerChange {
  Path: string
  Kind: 0 | 1 | 2
}

export interface ContainerExit {
  exitCode: number
  error?: string
}

/** Every `ref` is a name, an id or a unique prefix of one. All throw not-found; see wire.md for texts. */
export interface Containers {
  create(name: string | undefined, body: ContainerCreate): Promise<{ id: string; warnings: string[] }>
  /** @throws not-modified where it runs already; invalid with the OCI runtime's message (126/127) */
  start(ref: string): Promise<void>
  stop(ref: string, options?: { signal?: string; timeoutSec?: number }): Promise<void>
  restart(ref: string, options?: { signal?: string; timeoutSec?: number }): Promise<void>
  kill(ref: string, signal?: string): Promise<void>
  pause(ref: string): Promise<void>
  unpause(ref: string): Promise<void>
  rename(ref: string, name: string): Promise<void>
  remove(ref: string, options?: { force?: boolean; volumes?: boolean }): Promise<void>
  update(
    ref: string,
    change: Pick<
      HostConfig,
      | 'Memory'
      | 'MemorySwap'
      | 'NanoCpus'
      | 'CpuShares'
      | 'CpuQuota'
      | 'CpuPeriod'
      | 'PidsLimit'
      | 'RestartPolicy'
    >,
  ): Promise<{ warnings: string[] }>
  list(options?: {
    all?: boolean
    limit?: number
    size?: boolean
    filters?: Record<string, string[]>
  }): Promise<ContainerSummary[]>
  inspect(ref: string, options?: { size?: boolean }): Promise<ContainerInspect>
  /** The waiter is registered before this function first yields; `removed` answers once the container is gone. */
  wait(
    ref: string,
    condition?: 'not-running' | 'next-exit' | 'removed',
    signal?: AbortSignal,
  ): Promise<ContainerExit>
  /** Works before start; not a byte between start and attach is lost. */
  attach(
    ref: string,
    options: { stdin?: boolean; stdout?: boolean; stderr?: boolean; stream?: boolean; logs?: boolean },
  ): Promise<ProcessStream>
  logs(ref: string, options: LogOptions): Promise<AsyncIterable<LogEntry>>
  resize(ref: string, rows: number, columns: number): Promise<void>
  top(ref: string, psArgs?: string): Promise<{ Titles: string[]; Processes: string[][] }>
  /** Raw numbers of the cgroup in the form of `GET /containers/{id}/stats`. */
  stats(ref: string): Promise<Record<string, unknown>>
  execCreate(ref: string, body: ExecCreate): Promise<string>
  /** `attach: false` is a detached exec: the stream is empty. */
  execStart(
    id: string,
    options: { attach: boolean; tty?: boolean; consoleSize?: [number, number] },
  ): Promise<ProcessStream>
  execInspect(id: string): Promise<ExecInspect>
  execResize(id: string, rows: number, columns: number): Promise<void>
  /** Resolves when the exec'd process has ended. */
  execWait(id: string): Promise<ContainerExit>
  /**
   * Paths are those that the container sees, volumes included, whether it runs or not; links never lead out.
   * A final slash or `/.` means the folder that a link leads to, else the link itself is meant.
   */
  archiveStat(ref: string, path: string): Promise<ContainerPathStat>
  /** A tar of what is at `path`, named after its last part. The signal ends it where nobody reads on. */
  archiveRead(
    ref: string,
    path: string,
    signal: AbortSignal,
  ): Promise<{ stat: ContainerPathStat; tar: AsyncIterable<Uint8Array> }>
  /**
   * Unpacks a tar (any compression) into the folder `path`. `keepKinds`: no folder is replaced by something
   * else, nor the other way round. `asUser`: all belongs to the container's user.
   * @throws not-found, invalid; denied where root or volume are read-only
   */
  archiveWrite(
    ref: string,
    path: string,
    tar: AsyncIterable<Uint8Array>,
    options?: { keepKinds?: boolean; asUser?: boolean },
  ): Promise<void>
  /** What differs from the image, sorted by path. */
  changes(ref: string): Promise<ContainerChange[]>
  /** The root file system as a tar, without volumes. */
  exportTar(ref: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  prune(options?: {
    filters?: Record<string, string[]>
  }): Promise<{ deleted: string[]; spaceReclaimed: number }>
}
export const Containers = defineService<Containers>('containers')
