import { existsSync, readFileSync } from 'node:fs'
import os from 'node:os'
import type { ContainerStatus } from '@kernel/contracts'
import type { EngineFacts } from './types.ts'
import { maximumVersion, minimumVersion } from './versions.ts'

/** Go's names of the architectures that Node runs on. */
const architectures: Record<string, string> = { x64: 'amd64', ia32: '386' }

/** `GET /version` (definition SystemVersion). */
export function engineVersion({ version, startedAt }: EngineFacts) {
  const details = {
    ApiVersion: maximumVersion.text,
    Arch: architectures[process.arch] ?? process.arch,
    BuildTime: startedAt,
    Experimental: 'false',
    GitCommit: '',
    GoVersion: `node-${process.version}`,
    KernelVersion: os.release(),
    MinAPIVersion: minimumVersion.text,
    Os: 'linux',
  }
  return {
    Platform: { Name: 'kernel' },
    Components: [{ Name: 'Engine', Version: version, Details: details }],
    Version: version,
    ApiVersion: details.ApiVersion,
    MinAPIVersion: details.MinAPIVersion,
    GitCommit: details.GitCommit,
    GoVersion: details.GoVersion,
    Os: details.Os,
    Arch: details.Arch,
    KernelVersion: details.KernelVersion,
    BuildTime: details.BuildTime,
  }
}

/** `GET /info` (definition SystemInfo). */
export function engineInfo(engine: EngineFacts, counts: { states: ContainerStatus[]; images: number }) {
  const count = (...states: ContainerStatus[]) =>
    counts.states.filter((state) => states.includes(state)).length
  const unified = existsSync('/sys/fs/cgroup/cgroup.controllers')
  const running = count('running', 'restarting')
  const paused = count('paused')
  return {
    ID: engine.id,
    Containers: counts.states.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: counts.states.length - running - paused,
    Images: counts.images,
    Driver: 'overlay2',
    DriverStatus: [],
    Plugins: {
      Volume: ['local'],
      Network: ['bridge', 'host', 'none'],
      Authorization: null,
      Log: ['json-file'],
    },
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    IPv4Forwarding: true,
    BridgeNfIptables: false,
    BridgeNfIp6tables: false,
    Debug: false,
    NFd: 0,
    OomKillDisable: false,
    NGoroutines: 0,
    SystemTime: new Date().toISOString(),
    LoggingDriver: 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: unified ? '2' : '1',
    NEventsListener: 0,
    KernelVersion: os.release(),
    OperatingSystem: osRelease('PRETTY_NAME') ?? 'Linux',
    OSVersion: osRelease('VERSION_ID') ?? '',
    OSType: 'linux',
    Architecture: os.machine(),
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: {
      AllowNondistributableArtifactsCIDRs: [],
      AllowNondistributableArtifactsHostnames: [],
      IndexConfigs: { 'docker.io': { Name: 'docker.io', Mirrors: [], Secure: true, Official: true } },
      InsecureRegistryCIDRs: ['127.0.0.0/8', '::1/128'],
      Mirrors: [],
    },
    NCPU: os.availableParallelism(),
    MemTotal: os.totalmem(),
    GenericResources: null,
    DockerRootDir: engine.dataDir,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: os.hostname(),
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: engine.version,
    Runtimes: { runc: { path: 'runc' } },
    DefaultRuntime: 'runc',
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: '',
    ContainerdCommit: { ID: '', Expected: '' },
    RuncCommit: { ID: '', Expected: '' },
    InitCommit: { ID: '', Expected: '' },
    SecurityOptions: [],
    CDISpecDirs: [],
    Warnings: null,
  }
}

/** A line of /etc/os-release, see os-release(5). */
function osRelease(name: string): string | undefined {
  try {
    const line = readFileSync('/etc/os-release', 'utf8')
      .split('\n')
      .find((entry) => entry.startsWith(`${name}=`))
    return line?.slice(name.length + 1).replace(/^"|"$/g, '')
  } catch {
    return undefined
  }
}
