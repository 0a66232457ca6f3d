import { SysError } from './errors.ts'
import { check, foreign } from './libc.ts'

const prlimit = foreign('prlimit64', 'int', ['int', 'int', 'void *', 'void *'])

/** Resources of setrlimit(2) by the names that the OCI runtime spec uses (numbers of asm-generic). */
const RESOURCES = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
} as const

export type RlimitName = keyof typeof RESOURCES

/** `Infinity` stands for no limit. */
export interface Rlimit {
  soft: number
  hard: number
}

/** Whether `name` is a resource limit of Linux, for example `RLIMIT_NOFILE`. */
export function isRlimitName(name: string): name is RlimitName {
  return Object.hasOwn(RESOURCES, name)
}

/** The limits of a process; default: this one. Without CAP_SYS_RESOURCE nothing may go above `hard`. */
export function getRlimit(name: RlimitName, pid = 0): Rlimit {
  if (!isRlimitName(name)) throw new SysError('getrlimit', 22, { path: name })
  const bytes = Buffer.alloc(16) // struct rlimit64 { u64 soft, hard }
  check(prlimit(pid, RESOURCES[name], null, bytes), 'getrlimit', { path: name })
  return { soft: limit(bytes.readBigUInt64LE(0)), hard: limit(bytes.readBigUInt64LE(8)) }
}

function limit(value: bigint): number {
  return value === 0xffffffffffffffffn ? Number.POSITIVE_INFINITY : Number(value)
}
