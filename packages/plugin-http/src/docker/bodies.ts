import type {
  ContainerCreate,
  ExecCreate,
  HostConfig,
  ImageRunConfig,
  NetworkCreate,
  PortBinding,
  RestartPolicy,
} from '@kernel/contracts'
import { argv, bool, empty, int, list, map, nullable, type Shape, struct, text } from './go-shape.ts'

/** The bodies of Docker's API (v1.51), by the names of its definitions. */

const labels = map(text)

const healthcheck = struct({
  Test: list(text),
  Interval: int,
  Timeout: int,
  StartPeriod: int,
  StartInterval: int,
  Retries: int,
})

const endpointSettings = struct({
  IPAMConfig: nullable(struct({ IPv4Address: text, IPv6Address: text })),
  Links: nullable(list(text)),
  Aliases: nullable(list(text)),
  MacAddress: text,
  DriverOpts: nullable(labels),
  NetworkID: text,
})

const restartFields = struct({ Name: text as Shape<RestartPolicy['Name']>, MaximumRetryCount: int })
const restartPolicy: Shape<RestartPolicy> = (value, path) => ({ Name: '', ...restartFields(value, path) })

const mount = struct({
  Type: text as Shape<'bind' | 'volume' | 'tmpfs'>,
  Source: text,
  Target: text,
  ReadOnly: bool,
  TmpfsOptions: struct({ SizeBytes: int, Mode: int }),
  VolumeOptions: struct({
    NoCopy: bool,
    Labels: labels,
    Subpath: text,
    DriverConfig: struct({ Name: text, Options: labels }),
  }),
  BindOptions: struct({ Propagation: text, CreateMountpoint: bool, NonRecursive: bool }),
})

const resources = {
  Memory: int,
  MemorySwap: int,
  MemoryReservation: int,
  NanoCpus: int,
  CpuShares: int,
  CpuPeriod: int,
  CpuQuota: int,
  CpusetCpus: text,
  CpusetMems: text,
  BlkioWeight: int,
  PidsLimit: nullable(int),
  Ulimits: list(struct({ Name: text, Soft: int, Hard: int })),
  Devices: list(struct({ PathOnHost: text, PathInContainer: text, CgroupPermissions: text })),
  RestartPolicy: restartPolicy,
}

const bindingFields = struct({ HostIp: text, HostPort: text })
const portBinding: Shape<PortBinding> = (value, path) => ({
  HostIp: '',
  HostPort: '',
  ...bindingFields(value, path),
})

/** Fields that the engine does not act on are kept: inspect shows them. */
const hostConfig = struct(
  {
    ...resources,
    Binds: list(text),
    Mounts: list(mount),
    Tmpfs: labels,
    NetworkMode: text,
    PortBindings: map(list(portBinding)),
    PublishAllPorts: bool,
    AutoRemove: bool,
    Privileged: bool,
    ReadonlyRootfs: bool,
    CapAdd: argv,
    CapDrop: argv,
    SecurityOpt: list(text),
    GroupAdd: list(text),
    Init: bool,
    ShmSize: int,
    Sysctls: labels,
    Dns: list(text),
    DnsSearch: list(text),
    DnsOptions: list(text),
    ExtraHosts: list(text),
    LogConfig: struct({ Type: text, Config: labels }),
    PidMode: text,
    IpcMode: text,
    UTSMode: text,
    UsernsMode: text,
    CgroupnsMode: text,
    Runtime: text,
    OomScoreAdj: int,
    MaskedPaths: nullable(list(text)),
    ReadonlyPaths: nullable(list(text)),
  },
  { rest: 'keep' },
) as Shape<HostConfig>

const configFields = {
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: bool,
  AttachStdout: bool,
  AttachStderr: bool,
  ExposedPorts: map(empty),
  Tty: bool,
  OpenStdin: bool,
  StdinOnce: bool,
  Env: list(text),
  Cmd: argv,
  Healthcheck: healthcheck,
  Image: text,
  Volumes: map(empty),
  WorkingDir: text,
  Entrypoint: argv,
  NetworkDisabled: bool,
  MacAddress: text,
  OnBuild: list(text),
  Labels: labels,
  StopSignal: text,
  StopTimeout: int,
  Shell: argv,
}

/** The body of `/commit` (definition ContainerConfig). */
export const containerConfig = struct(configFields) as Shape<ImageRunConfig>

export const containerCreate = struct({
  ...configFields,
  HostConfig: hostConfig,
  NetworkingConfig: struct({ EndpointsConfig: map(endpointSettings) }),
}) as Shape<Partial<ContainerCreate> & { MacAddress?: string }>

export const containerUpdate = struct(resources)

export const execCreate = struct({
  Cmd: argv,
  AttachStdin: bool,
  AttachStdout: bool,
  AttachStderr: bool,
  Tty: bool,
  Env: list(text),
  WorkingDir: text,
  User: text,
  Privileged: bool,
  DetachKeys: text,
  ConsoleSize: list(int) as unknown as Shape<[number, number]>,
}) as Shape<Partial<ExecCreate>>

export const execStart = struct({ Detach: bool, Tty: bool, ConsoleSize: list(int) })

export const networkCreate = struct({
  Name: text,
  Driver: text,
  Internal: bool,
  Attachable: bool,
  EnableIPv6: bool,
  IPAM: struct({
    Driver: text,
    Config: list(struct({ Subnet: text, Gateway: text, IPRange: text })),
    Options: nullable(labels),
  }),
  Options: labels,
  Labels: labels,
}) as Shape<Partial<NetworkCreate>>

export const networkConnect = struct({ Container: text, EndpointConfig: endpointSettings })
export const networkDisconnect = struct({ Container: text, Force: bool })

export const volumeCreate = struct({ Name: text, Driver: text, DriverOpts: labels, Labels: labels })

/** `X-Registry-Auth`, and the body of `/auth` (definition AuthConfig). */
export const authConfig = struct({
  username: text,
  password: text,
  auth: text,
  serveraddress: text,
  identitytoken: text,
  registrytoken: text,
})
