/** The parts of the OCI runtime specification (v1.0.2, config.md, config-linux.md) that are written here. @module */

export interface OciUser {
  uid: number
  gid: number
  additionalGids?: number[]
  umask?: number
}

export interface OciCapabilities {
  bounding: string[]
  effective: string[]
  permitted: string[]
  inheritable: string[]
  ambient: string[]
}

export interface OciRlimit {
  type: string
  soft: number
  hard: number
}

export interface OciProcess {
  terminal: boolean
  consoleSize?: { height: number; width: number }
  user: OciUser
  args: string[]
  env: string[]
  cwd: string
  capabilities: OciCapabilities
  rlimits?: OciRlimit[]
  noNewPrivileges?: boolean
  oomScoreAdj?: number
  apparmorProfile?: string
}

export interface OciMount {
  destination: string
  type?: string
  source?: string
  options?: string[]
}

export interface OciDevice {
  path: string
  type: 'c' | 'b' | 'p'
  major: number
  minor: number
  fileMode?: number
  uid?: number
  gid?: number
}

export interface OciDeviceRule {
  allow: boolean
  type?: 'a' | 'c' | 'b'
  major?: number
  minor?: number
  access: string
}

export interface OciResources {
  devices?: OciDeviceRule[]
  memory?: {
    limit?: number
    reservation?: number
    swap?: number
    swappiness?: number
    disableOOMKiller?: boolean
  }
  cpu?: {
    shares?: number
    quota?: number
    period?: number
    realtimePeriod?: number
    realtimeRuntime?: number
    cpus?: string
    mems?: string
  }
  pids?: { limit: number }
  blockIO?: {
    weight?: number
    weightDevice?: Array<OciBlockDevice & { weight: number }>
    throttleReadBpsDevice?: OciThrottle[]
    throttleWriteBpsDevice?: OciThrottle[]
    throttleReadIOPSDevice?: OciThrottle[]
    throttleWriteIOPSDevice?: OciThrottle[]
  }
}

interface OciBlockDevice {
  major: number
  minor: number
}

interface OciThrottle extends OciBlockDevice {
  /** Bytes or operations a second. */
  rate: number
}

export interface OciSyscallRule {
  names: string[]
  action: string
  errnoRet?: number
  args?: Array<{ index: number; value: number; valueTwo?: number; op: string }>
}

export interface OciSeccomp {
  defaultAction: string
  defaultErrnoRet?: number
  architectures?: string[]
  flags?: string[]
  syscalls: OciSyscallRule[]
}

export interface OciSpec {
  ociVersion: string
  process: OciProcess
  root: { path: string; readonly: boolean }
  hostname?: string
  mounts: OciMount[]
  annotations?: Record<string, string>
  linux: {
    namespaces: Array<{ type: string; path?: string }>
    resources: OciResources
    cgroupsPath: string
    sysctl?: Record<string, string>
    devices?: OciDevice[]
    seccomp?: OciSeccomp
    maskedPaths?: string[]
    readonlyPaths?: string[]
    rootfsPropagation?: string
  }
}
