/** Which Linux capabilities a container gets, by Docker's rules (`--cap-add`, `--cap-drop`, `--privileged`). @module */
import { readFileSync } from 'node:fs'
import { invalid } from '@kernel/contracts'

/** In the order of their numbers (linux/capability.h). */
const ALL = `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
  NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE
  SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL
  SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`
  .split(/\s+/)
  .map((name) => `CAP_${name}`)

/** What Docker gives when nothing is asked for (docs.docker.com, "Runtime privilege and Linux capabilities"). */
export const DEFAULT_CAPABILITIES =
  `CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP
  NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE`
    .split(/\s+/)
    .map((name) => `CAP_${name}`)

let ceiling: string[] | undefined

/** What this process may hand on: its bounding set. A capability above it would make the OCI runtime fail. */
function bounding(): string[] {
  if (!ceiling) {
    const line =
      /^CapBnd:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 'ffffffffffffffff'
    const bits = BigInt(`0x${line}`)
    ceiling = ALL.filter((_, bit) => (bits >> BigInt(bit)) & 1n)
  }
  return ceiling
}

/**
 * The capabilities of a container, in the kernel's order.
 * @throws invalid where a name is no capability
 */
export function capabilitiesOf(options: { privileged?: boolean; add?: string[]; drop?: string[] }): string[] {
  const add = normalise('add', options.add)
  const drop = normalise('drop', options.drop)
  if (options.privileged) return bounding()
  const start = add.includes('ALL') ? ALL : drop.includes('ALL') ? [] : DEFAULT_CAPABILITIES
  const wanted = new Set(start)
  for (const name of drop) wanted.delete(name)
  for (const name of add) if (name !== 'ALL') wanted.add(name)
  return bounding().filter((name) => wanted.has(name))
}

/** Whether this process, and so a container, can have a capability. */
export function canHave(capability: string): boolean {
  return bounding().includes(capability)
}

/** Asked for, but not to be had on this machine. */
export function missingCapabilities(add: string[] | undefined): string[] {
  return normalise('add', add).filter((name) => name !== 'ALL' && !bounding().includes(name))
}

function normalise(what: 'add' | 'drop', names: string[] | undefined): string[] {
  return (names ?? []).map((given) => {
    const upper = given.toUpperCase()
    if (upper === 'ALL') return upper
    const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`
    if (!ALL.includes(name))
      throw invalid(`invalid Cap${what === 'add' ? 'Add' : 'Drop'}: unknown capability: "${given}"`)
    return name
  })
}
