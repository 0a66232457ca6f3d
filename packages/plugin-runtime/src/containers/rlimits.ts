/** `--ulimit`, as far as this process may raise limits. @module */
import { type HostConfig, invalid } from '@kernel/contracts'
import { getRlimit, isRlimitName } from '@kernel/sys'
import type { OciRlimit } from './oci-types.ts'

/**
 * The limits in OCI form. What lies above this process's own hard limit is lowered to it, with a warning:
 * the OCI runtime would fail where CAP_SYS_RESOURCE is missing.
 * @throws invalid on an unknown name, or soft above hard
 */
export function rlimitsOf(ulimits: HostConfig['Ulimits']): { rlimits: OciRlimit[]; warnings: string[] } {
  const warnings: string[] = []
  const rlimits = (ulimits ?? []).map(({ Name, Soft, Hard }) => {
    const type = `RLIMIT_${Name.toUpperCase()}`
    if (!isRlimitName(type)) throw invalid(`invalid ulimit type: ${Name}`)
    const wanted = {
      soft: Soft < 0 ? Number.POSITIVE_INFINITY : Soft,
      hard: Hard < 0 ? Number.POSITIVE_INFINITY : Hard,
    }
    if (wanted.soft > wanted.hard)
      throw invalid(`ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`)
    const own = getRlimit(type)
    if (wanted.hard > own.hard)
      warnings.push(
        `The ulimit ${Name}=${Hard} is above this daemon's hard limit; it was lowered to ${own.hard}.`,
      )
    return {
      type,
      soft: finite(Math.min(wanted.soft, own.hard)),
      hard: finite(Math.min(wanted.hard, own.hard)),
    }
  })
  return { rlimits, warnings }
}

/** No limit is 2^64-1 in the kernel, beyond JSON's numbers; the largest safe one is as good as none. */
function finite(value: number): number {
  return Number.isFinite(value) ? value : Number.MAX_SAFE_INTEGER
}
