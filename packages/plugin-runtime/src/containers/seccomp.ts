/** The seccomp filter of a container: Docker's default, none, or a profile in Docker's JSON form. @module */
import { invalid } from '@kernel/contracts'
import type { OciSeccomp, OciSyscallRule } from './oci-types.ts'
import { ALWAYS, BY_ARCH, BY_CAPABILITY } from './seccomp-table.ts'

const ENOSYS = 38
const EPERM = 1
const AF_VSOCK = 40
/** Every CLONE_NEW* flag: clone may not make namespaces without CAP_SYS_ADMIN. */
const CLONE_NAMESPACES = 0x7e020000
/** Values of personality(2) that programs need: Linux, Linux32, ADDR_NO_RANDOMIZE with both, and "ask". */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff]

/** Docker's default profile for a set of capabilities. */
export function defaultSeccomp(capabilities: string[], arch: string = process.arch): OciSeccomp {
  const has = new Set(capabilities)
  const machine = BY_ARCH[arch]
  const names = new Set([...ALWAYS, ...(machine?.allow ?? [])])
  for (const [capability, extra] of Object.entries(BY_CAPABILITY))
    if (has.has(capability)) for (const name of extra) names.add(name)
  const allow = 'SCMP_ACT_ALLOW'
  const rules: OciSyscallRule[] = [
    { names: [...names], action: allow },
    { names: ['socket'], action: allow, args: [{ index: 0, value: AF_VSOCK, op: 'SCMP_CMP_NE' }] },
    ...PERSONALITIES.map((value) => ({
      names: ['personality'],
      action: allow,
      args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }],
    })),
  ]
  if (!has.has('CAP_SYS_ADMIN')) {
    const index = arch === 's390x' ? 1 : 0
    // libc falls back from clone3, whose flags a filter can't see, to clone when it is told ENOSYS.
    rules.push(
      {
        names: ['clone'],
        action: allow,
        args: [{ index, value: CLONE_NAMESPACES, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
      },
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
    )
  }
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: machine?.architectures,
    syscalls: rules,
  }
}

/** A profile as `--security-opt seccomp=FILE` sends it: Docker's form, a superset of the OCI one. */
interface DockerProfile {
  defaultAction?: string
  defaultErrnoRet?: number
  architectures?: string[]
  archMap?: Array<{ architecture: string; subArchitectures?: string[] | null }>
  flags?: string[]
  syscalls?: Array<
    OciSyscallRule & {
      name?: string
      includes?: Conditions
      excludes?: Conditions
    }
  >
}
interface Conditions {
  caps?: string[]
  arches?: string[]
}

const goArch: Record<string, string> = {
  x64: 'amd64',
  arm64: 'arm64',
  ppc64: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
}

/** Turns a profile's JSON text into the OCI form, for these capabilities and this machine. @throws invalid */
export function parseSeccomp(text: string, capabilities: string[], arch: string = process.arch): OciSeccomp {
  let profile: DockerProfile
  try {
    profile = JSON.parse(text) as DockerProfile
  } catch (cause) {
    throw invalid(`Decoding seccomp profile failed: ${(cause as Error).message}`, { cause })
  }
  if (typeof profile !== 'object' || profile === null || typeof profile.defaultAction !== 'string')
    throw invalid('Decoding seccomp profile failed: it has no defaultAction')
  const meets = (conditions: Conditions | undefined, all: boolean) => {
    const caps = conditions?.caps?.length ? conditions.caps.map((cap) => capabilities.includes(cap)) : []
    const arches = conditions?.arches?.length ? [conditions.arches.includes(goArch[arch] ?? arch)] : []
    const tests = [...caps, ...arches]
    return all ? tests.every(Boolean) : tests.some(Boolean)
  }
  const own = BY_ARCH[arch]?.architectures[0]
  const mapped = profile.archMap?.find((entry) => entry.architecture === own)
  return {
    defaultAction: profile.defaultAction,
    defaultErrnoRet: profile.defaultErrnoRet,
    architectures: profile.architectures?.length
      ? profile.architectures
      : mapped
        ? [mapped.architecture, ...(mapped.subArchitectures ?? [])]
        : undefined,
    flags: profile.flags,
    syscalls: (profile.syscalls ?? [])
      .filter((rule) => meets(rule.includes, true) && !meets(rule.excludes, false))
      .map((rule) => ({
        names: rule.names ?? (rule.name ? [rule.name] : []),
        action: rule.action,
        ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
        ...(rule.args?.length ? { args: rule.args } : {}),
      }))
      .filter((rule) => rule.names.length > 0),
  }
}
