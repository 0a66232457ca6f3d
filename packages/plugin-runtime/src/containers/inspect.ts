/** `GET /containers/{id}/json`. @module */
import { join } from 'node:path'
import type { ContainerInspect, HostConfig } from '@kernel/contracts'
import type { Engine } from './engine.ts'
import { type ContainerRecord, isRunning } from './record.ts'
import { networksOf } from './summary.ts'

export function inspectOf(engine: Engine, record: ContainerRecord): ContainerInspect {
  const dir = engine.bundle(record.id)
  const { execs } = engine.live(record)
  const { sandbox } = record
  const networks = networksOf(record)
  const bridge = networks.bridge
  const running = isRunning(record)
  return {
    Id: record.id,
    Created: record.created,
    Path: record.path,
    Args: record.args,
    State: {
      Status: record.status,
      Running: running || record.status === 'restarting',
      Paused: record.status === 'paused',
      Restarting: record.status === 'restarting',
      OOMKilled: record.oomKilled,
      Dead: record.status === 'dead',
      Pid: record.process?.pid ?? 0,
      ExitCode: record.exitCode,
      Error: record.error,
      StartedAt: record.startedAt,
      FinishedAt: record.finishedAt,
      ...(record.health ? { Health: record.health } : {}),
    },
    Image: record.image,
    ResolvConfPath: join(dir, 'resolv.conf'),
    HostnamePath: join(dir, 'hostname'),
    HostsPath: join(dir, 'hosts'),
    LogPath: record.hostConfig.LogConfig?.Type === 'none' ? '' : engine.logPath(record.id),
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: execs.size > 0 ? [...execs] : null,
    HostConfig: { ...ABSENT, ...record.hostConfig },
    GraphDriver: { Name: 'overlay2', Data: { UpperDir: engine.snapshots.upperDir(record.id) } },
    Mounts: record.mounts,
    Config: { ...NO_CONFIG, ...given(record.config) },
    NetworkSettings: {
      SandboxID: running ? record.id : '',
      SandboxKey: sandbox?.netns ?? '',
      Ports: sandbox?.ports ?? {},
      IPAddress: bridge?.IPAddress ?? '',
      IPPrefixLen: bridge?.IPPrefixLen ?? 0,
      Gateway: bridge?.Gateway ?? '',
      MacAddress: bridge?.MacAddress ?? '',
      Bridge: '',
      HairpinMode: false,
      LinkLocalIPv6Address: '',
      LinkLocalIPv6PrefixLen: 0,
      SecondaryIPAddresses: null,
      SecondaryIPv6Addresses: null,
      EndpointID: bridge?.EndpointID ?? '',
      GlobalIPv6Address: bridge?.GlobalIPv6Address ?? '',
      GlobalIPv6PrefixLen: bridge?.GlobalIPv6PrefixLen ?? 0,
      IPv6Gateway: bridge?.IPv6Gateway ?? '',
      Networks: networks,
    },
  }
}

/** Without what is there but undefined, which would hide what stands for it. */
function given<T extends object>(config: T): T {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)) as T
}

/** Fields of a configuration that are there in any case. */
const NO_CONFIG = {
  Hostname: '',
  Domainname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null as never,
  Cmd: null as never,
  Volumes: null as never,
  WorkingDir: '',
  Entrypoint: null as never,
  OnBuild: null as never,
  Labels: {},
}

/** Fields that clients expect to be there, with Go's zero values. */
const ABSENT: HostConfig = {
  Binds: null as never,
  ContainerIDFile: '',
  PortBindings: null as never,
  AutoRemove: false,
  VolumeDriver: '',
  VolumesFrom: null,
  ConsoleSize: [0, 0],
  CapAdd: null as never,
  CapDrop: null as never,
  CgroupnsMode: '',
  Dns: null as never,
  DnsOptions: null as never,
  DnsSearch: null as never,
  ExtraHosts: null as never,
  GroupAdd: null as never,
  IpcMode: 'private',
  Cgroup: '',
  Links: null,
  OomScoreAdj: 0,
  PidMode: '',
  Privileged: false,
  PublishAllPorts: false,
  ReadonlyRootfs: false,
  SecurityOpt: null as never,
  UTSMode: '',
  UsernsMode: '',
  Isolation: '',
  CpuShares: 0,
  Memory: 0,
  NanoCpus: 0,
  CgroupParent: '',
  BlkioWeight: 0,
  BlkioWeightDevice: null,
  BlkioDeviceReadBps: null,
  BlkioDeviceWriteBps: null,
  BlkioDeviceReadIOps: null,
  BlkioDeviceWriteIOps: null,
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetCpus: '',
  CpusetMems: '',
  Devices: null as never,
  DeviceCgroupRules: null,
  DeviceRequests: null,
  MemoryReservation: 0,
  MemorySwap: 0,
  MemorySwappiness: null,
  OomKillDisable: false,
  PidsLimit: null,
  Ulimits: null as never,
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
}
