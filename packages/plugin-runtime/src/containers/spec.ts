/** The OCI configuration of a container: Docker's defaults, and what its HostConfig asks for. @module */
import fs from 'node:fs'
import type { ContainerConfig, HostConfig, MountPoint } from '@kernel/contracts'
import { invalid } from '@kernel/contracts'
import type { HostFacts } from '../parts.ts'
import { capabilitiesOf } from './capabilities.ts'
import { devicesOf } from './devices.ts'
import { environmentOf } from './environment.ts'
import { INIT_PATH, mountsOf } from './mounts.ts'
import { MASKED_PATHS, READONLY_PATHS } from './oci-defaults.ts'
import type { OciProcess, OciSpec } from './oci-types.ts'
import { oomScoreOf, resourcesOf } from './resources.ts'
import { rlimitsOf } from './rlimits.ts'
import { defaultSeccomp, parseSeccomp } from './seccomp.ts'
import { securityOptionsOf } from './security-options.ts'
import { resolveUser } from './user.ts'

export interface SpecInput {
  id: string
  /** argv: entrypoint and command. */
  argv: string[]
  config: ContainerConfig
  hostConfig: HostConfig
  /** The mounted root file system. */
  rootfs: string
  mounts: MountPoint[]
  /** Folder of the container, and which of hostname, hosts, resolv.conf lie in it. */
  dir: string
  files: string[]
  hostname: string
  /** Path; undefined: the host's network. */
  netns?: string
  /** Namespaces of other containers that are joined, by path. */
  joined: { pid?: string; ipc?: string }
  sharedShm?: string
  init?: string
  cgroupParent: string
  cgroup: HostFacts['cgroup']
}

/** @throws invalid where user, device, ulimit or option make no sense */
export function specOf(input: SpecInput): OciSpec {
  const { hostConfig, hostname } = input
  const privileged = hostConfig.Privileged === true
  const security = securityOptionsOf(hostConfig.SecurityOpt)
  const capabilities = capabilitiesOf({
    privileged,
    add: hostConfig.CapAdd ?? [],
    drop: hostConfig.CapDrop ?? [],
  })
  const { devices, rules } = devicesOf(hostConfig)
  const unconfined = privileged || security.unconfinedPaths
  const masked = hostConfig.MaskedPaths ?? (unconfined ? [] : MASKED_PATHS)
  const readonly = hostConfig.ReadonlyPaths ?? (unconfined ? [] : READONLY_PATHS)
  const seccomp =
    privileged || security.seccomp === 'unconfined'
      ? undefined
      : security.seccomp === 'default'
        ? defaultSeccomp(capabilities)
        : parseSeccomp(security.seccomp, capabilities)
  const hostUts = hostConfig.UTSMode === 'host'
  const annotations = hostConfig.Annotations as Record<string, string> | null | undefined
  return {
    ociVersion: '1.0.2',
    process: processOf(input, capabilities, security.noNewPrivileges),
    root: { path: input.rootfs, readonly: hostConfig.ReadonlyRootfs === true },
    ...(hostUts ? {} : { hostname }),
    mounts: mountsOf({ ...input, points: input.mounts }),
    ...(annotations && Object.keys(annotations).length > 0 ? { annotations } : {}),
    linux: {
      namespaces: namespacesOf(input),
      resources: { devices: rules, ...resourcesOf(hostConfig) },
      cgroupsPath: `${cgroupParentOf(input)}/${input.id}`,
      sysctl: sysctlOf(input),
      ...(devices.length > 0 ? { devices } : {}),
      ...(seccomp ? { seccomp } : {}),
      maskedPaths: masked,
      readonlyPaths: readonly,
      ...(rootPropagation(input.mounts) ?? {}),
    },
  }
}

function processOf(input: SpecInput, capabilities: string[], noNewPrivileges: boolean): OciProcess {
  const { config, hostConfig } = input
  const user = resolveUser(input.rootfs, config.User ?? '', hostConfig.GroupAdd ?? [])
  const { rlimits } = rlimitsOf(hostConfig.Ulimits)
  const size = hostConfig.ConsoleSize as [number, number] | undefined
  return {
    terminal: config.Tty === true,
    ...(config.Tty && size?.[0] && size[1] ? { consoleSize: { height: size[0], width: size[1] } } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: input.init ? [INIT_PATH, '--', ...input.argv] : input.argv,
    env: environmentOf({
      hostname: input.hostname,
      tty: config.Tty === true,
      env: config.Env ?? [],
      home: user.home,
    }),
    cwd: config.WorkingDir || '/',
    capabilities: capabilitySets(capabilities, user.uid),
    ...(rlimits.length > 0 ? { rlimits } : {}),
    noNewPrivileges,
    ...apparmorOf(hostConfig),
    ...(hostConfig.OomScoreAdj ? { oomScoreAdj: oomScoreOf(hostConfig) } : {}),
  }
}

/** A profile by name, where the kernel has AppArmor; elsewhere it is as good as none, as in Docker. */
function apparmorOf({ SecurityOpt, Privileged }: HostConfig): { apparmorProfile?: string } {
  const { apparmor } = securityOptionsOf(SecurityOpt)
  if (!apparmor || apparmor === 'unconfined' || Privileged || !hasApparmor()) return {}
  return { apparmorProfile: apparmor }
}

function hasApparmor(): boolean {
  try {
    return fs.readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').startsWith('Y')
  } catch {
    return false
  }
}

/** As another user than root, a process starts with none in effect, but may gain them from file capabilities. */
export function capabilitySets(capabilities: string[], uid: number): OciProcess['capabilities'] {
  const held = uid === 0 ? capabilities : []
  return { bounding: capabilities, effective: held, permitted: held, inheritable: [], ambient: [] }
}

function namespacesOf({ hostConfig, netns, joined, cgroup }: SpecInput): OciSpec['linux']['namespaces'] {
  const namespaces: OciSpec['linux']['namespaces'] = [{ type: 'mount' }]
  const join = (type: string, path: string | undefined) => namespaces.push(path ? { type, path } : { type })
  if (netns) join('network', netns)
  if (hostConfig.PidMode !== 'host') join('pid', joined.pid)
  if (hostConfig.IpcMode !== 'host') join('ipc', joined.ipc)
  if (hostConfig.UTSMode !== 'host') join('uts', undefined)
  const cgroupns = hostConfig.CgroupnsMode || (cgroup === 'v2' && !hostConfig.Privileged ? 'private' : 'host')
  if (cgroupns === 'private') join('cgroup', undefined)
  return namespaces
}

function cgroupParentOf({ hostConfig, cgroupParent }: SpecInput): string {
  const asked = hostConfig.CgroupParent
  if (typeof asked !== 'string' || asked === '') return cgroupParent
  if (asked.split('/').includes('..')) throw invalid(`invalid cgroup parent: ${asked}`)
  return `/${asked.replace(/^\/+|\/+$/g, '')}`
}

/** In its own network, unprivileged programs may bind low ports and ping (Docker since 20.10). */
function sysctlOf({ config, hostConfig, netns }: SpecInput): Record<string, string> {
  const own: Record<string, string> = netns
    ? { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' }
    : {}
  const domain: Record<string, string> =
    config.Domainname && hostConfig.UTSMode !== 'host' ? { 'kernel.domainname': config.Domainname } : {}
  return { ...own, ...domain, ...hostConfig.Sysctls }
}

/** Mounts that are to spread need a root that lets them. */
function rootPropagation(mounts: MountPoint[]): { rootfsPropagation: string } | undefined {
  if (mounts.some(({ Propagation }) => /shared$/.test(Propagation))) return { rootfsPropagation: 'shared' }
  if (mounts.some(({ Propagation }) => /slave$/.test(Propagation))) return { rootfsPropagation: 'slave' }
  return undefined
}
