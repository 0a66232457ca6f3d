/** Limits: checked as dockerd checks them, and turned into the OCI form. @module */
import fs from 'node:fs'
import os from 'node:os'
import { type HostConfig, invalid } from '@kernel/contracts'
import { blockIoOf } from './block-io.ts'
import { canHave } from './capabilities.ts'
import type { OciResources } from './oci-types.ts'

const MINIMUM_MEMORY = 6 << 20
const DEFAULT_PERIOD = 100_000

/**
 * Refuses what makes no sense, answers what will be ignored.
 * @throws invalid in dockerd's words
 */
export function checkResources(host: HostConfig): string[] {
  const warnings: string[] = []
  const {
    Memory = 0,
    MemorySwap = 0,
    MemoryReservation = 0,
    NanoCpus = 0,
    CpuPeriod = 0,
    CpuQuota = 0,
  } = host
  if (Memory !== 0 && Memory < MINIMUM_MEMORY) throw invalid('Minimum memory limit allowed is 6MB')
  if (Memory > 0 && MemorySwap > 0 && MemorySwap < Memory)
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage')
  if (Memory === 0 && MemorySwap > 0)
    throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage')
  if (Memory > 0 && MemoryReservation > Memory)
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage')
  const cpus = os.availableParallelism()
  if (NanoCpus < 0 || NanoCpus > cpus * 1e9)
    throw invalid(`range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`)
  if (NanoCpus > 0 && CpuPeriod > 0)
    throw invalid('Conflicting options: Nano CPUs and CPU Period cannot both be set')
  if (NanoCpus > 0 && CpuQuota > 0)
    throw invalid('Conflicting options: Nano CPUs and CPU Quota cannot both be set')
  if (CpuPeriod !== 0 && (CpuPeriod < 1000 || CpuPeriod > 1_000_000))
    throw invalid('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)')
  if (CpuQuota > 0 && CpuQuota < 1000) throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)')
  const { OomScoreAdj = 0 } = host
  if (OomScoreAdj < -1000 || OomScoreAdj > 1000)
    throw invalid(`Invalid value ${OomScoreAdj}, range for oom score adj is [-1000, 1000]`)
  if (OomScoreAdj < oomScoreFloor())
    warnings.push(
      `The OOM score ${OomScoreAdj} is below this daemon's own, which takes CAP_SYS_RESOURCE; it was raised to ${oomScoreFloor()}.`,
    )
  if (Memory > 0 && !swapAccounting())
    warnings.push(
      'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
    )
  return warnings
}

/** The OOM score that a container can have: as asked for, but not below what the kernel lets this process give. */
export function oomScoreOf({ OomScoreAdj = 0 }: HostConfig): number {
  return Math.max(OomScoreAdj, oomScoreFloor())
}

function oomScoreFloor(): number {
  return canHave('CAP_SYS_RESOURCE') ? -1000 : Number(fs.readFileSync('/proc/self/oom_score_adj', 'utf8'))
}

/** The limits, without devices. */
export function resourcesOf(host: HostConfig): OciResources {
  const { Memory = 0, MemorySwap = 0, MemoryReservation = 0, NanoCpus = 0, CpuShares = 0 } = host
  const resources: OciResources = {}
  const memory: NonNullable<OciResources['memory']> = {}
  if (Memory > 0) memory.limit = Memory
  if (MemoryReservation > 0) memory.reservation = MemoryReservation
  if (swapAccounting()) {
    if (MemorySwap !== 0) memory.swap = MemorySwap
    else if (Memory > 0) memory.swap = 2 * Memory
  }
  if (host.OomKillDisable === true) memory.disableOOMKiller = true
  if (typeof host.MemorySwappiness === 'number' && host.MemorySwappiness >= 0)
    memory.swappiness = host.MemorySwappiness
  if (Object.keys(memory).length > 0) resources.memory = memory
  const cpu: NonNullable<OciResources['cpu']> = {}
  if (CpuShares > 0) cpu.shares = CpuShares
  if (NanoCpus > 0) {
    cpu.period = DEFAULT_PERIOD
    cpu.quota = Math.round((NanoCpus / 1e9) * DEFAULT_PERIOD)
  } else {
    if (host.CpuPeriod) cpu.period = host.CpuPeriod
    if (host.CpuQuota) cpu.quota = host.CpuQuota
  }
  if (typeof host.CpuRealtimePeriod === 'number' && host.CpuRealtimePeriod > 0)
    cpu.realtimePeriod = host.CpuRealtimePeriod
  if (typeof host.CpuRealtimeRuntime === 'number' && host.CpuRealtimeRuntime > 0)
    cpu.realtimeRuntime = host.CpuRealtimeRuntime
  if (host.CpusetCpus) cpu.cpus = host.CpusetCpus
  if (typeof host.CpusetMems === 'string' && host.CpusetMems !== '') cpu.mems = host.CpusetMems
  if (Object.keys(cpu).length > 0) resources.cpu = cpu
  if (host.PidsLimit && host.PidsLimit > 0) resources.pids = { limit: host.PidsLimit }
  const blockIO = blockIoOf(host)
  if (blockIO) resources.blockIO = blockIO
  return resources
}

let accounting: boolean | undefined
/** Whether this kernel can limit memory and swap together. */
function swapAccounting(): boolean {
  accounting ??=
    fs.existsSync('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes') ||
    (fs.existsSync('/sys/fs/cgroup/cgroup.controllers') && fs.existsSync('/proc/swaps'))
  return accounting
}
