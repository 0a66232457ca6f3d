/** `GET /containers/{id}/stats`: one sample, read from the cgroup and the network namespace. @module */
import { readFileSync } from 'node:fs'
import os from 'node:os'
import type { HostFacts } from '../parts.ts'
import type { Cgroup } from './cgroup.ts'
import { type ContainerRecord, now } from './record.ts'

const CLOCK_TICKS = 100
const NS_PER_TICK = 1e9 / CLOCK_TICKS

/** Docker's form; a container that does not run has empty numbers. `precpu_stats` is the caller's to fill. */
export function statsOf(
  record: ContainerRecord,
  cgroup: Cgroup,
  kind: HostFacts['cgroup'],
): Record<string, unknown> {
  const head = {
    id: record.id,
    name: `/${record.name}`,
    read: now(),
    preread: '0001-01-01T00:00:00Z',
    num_procs: 0,
    storage_stats: {},
  }
  const pid = record.process?.pid
  if (pid === undefined)
    return {
      ...head,
      read: head.preread,
      pids_stats: {},
      cpu_stats: {},
      precpu_stats: {},
      memory_stats: {},
      blkio_stats: {},
    }
  const v2 = kind === 'v2'
  return {
    ...head,
    pids_stats: {
      current: number(cgroup.read('pids', 'pids.current')),
      ...limit('limit', cgroup.read('pids', 'pids.max')),
    },
    cpu_stats: {
      ...(v2 ? cpuV2(cgroup) : cpuV1(cgroup)),
      system_cpu_usage: systemCpu(),
      online_cpus: os.cpus().length,
    },
    precpu_stats: {
      cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
      throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
    },
    memory_stats: v2 ? memoryV2(cgroup) : memoryV1(cgroup),
    blkio_stats: v2 ? blkioV2(cgroup) : blkioV1(cgroup),
    networks: networksOf(pid),
  }
}

function cpuV1(cgroup: Cgroup) {
  const ticks = table(cgroup.read('cpuacct', 'cpuacct.stat'))
  const throttle = table(cgroup.read('cpu', 'cpu.stat'))
  const perCpu = (cgroup.read('cpuacct', 'cpuacct.usage_percpu') ?? '')
    .trim()
    .split(/\s+/)
    .filter(Boolean)
    .map(Number)
  return {
    cpu_usage: {
      total_usage: number(cgroup.read('cpuacct', 'cpuacct.usage')),
      percpu_usage: perCpu,
      usage_in_kernelmode: (ticks.system ?? 0) * NS_PER_TICK,
      usage_in_usermode: (ticks.user ?? 0) * NS_PER_TICK,
    },
    throttling_data: {
      periods: throttle.nr_periods ?? 0,
      throttled_periods: throttle.nr_throttled ?? 0,
      throttled_time: throttle.throttled_time ?? 0,
    },
  }
}

function cpuV2(cgroup: Cgroup) {
  const stat = table(cgroup.read('', 'cpu.stat'))
  return {
    cpu_usage: {
      total_usage: (stat.usage_usec ?? 0) * 1000,
      usage_in_kernelmode: (stat.system_usec ?? 0) * 1000,
      usage_in_usermode: (stat.user_usec ?? 0) * 1000,
    },
    throttling_data: {
      periods: stat.nr_periods ?? 0,
      throttled_periods: stat.nr_throttled ?? 0,
      throttled_time: (stat.throttled_usec ?? 0) * 1000,
    },
  }
}

function memoryV1(cgroup: Cgroup) {
  return {
    usage: number(cgroup.read('memory', 'memory.usage_in_bytes')),
    max_usage: number(cgroup.read('memory', 'memory.max_usage_in_bytes')),
    stats: table(cgroup.read('memory', 'memory.stat')),
    failcnt: number(cgroup.read('memory', 'memory.failcnt')),
    limit: Math.min(number(cgroup.read('memory', 'memory.limit_in_bytes')) || os.totalmem(), os.totalmem()),
  }
}

function memoryV2(cgroup: Cgroup) {
  return {
    usage: number(cgroup.read('', 'memory.current')),
    stats: table(cgroup.read('', 'memory.stat')),
    limit: Math.min(number(cgroup.read('', 'memory.max')) || os.totalmem(), os.totalmem()),
  }
}

function blkioV1(cgroup: Cgroup) {
  return {
    io_service_bytes_recursive: blkioRows(cgroup.read('blkio', 'blkio.throttle.io_service_bytes_recursive')),
    io_serviced_recursive: blkioRows(cgroup.read('blkio', 'blkio.throttle.io_serviced_recursive')),
  }
}

/** `253:0 Read 4096` */
function blkioRows(text = '') {
  return [...text.matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm)].map(([, major, minor, op = '', value]) => ({
    major: Number(major),
    minor: Number(minor),
    op: op.toLowerCase(),
    value: Number(value),
  }))
}

/** `253:0 rbytes=4096 wbytes=0 rios=1 wios=0 ...` */
function blkioV2(cgroup: Cgroup) {
  const rows = [...(cgroup.read('', 'io.stat') ?? '').matchAll(/^(\d+):(\d+) (.*)$/gm)]
  const of = (names: Record<string, string>) =>
    rows.flatMap(([, major, minor, rest = '']) =>
      [...rest.matchAll(/(\w+)=(\d+)/g)].flatMap(([, key = '', value]) =>
        names[key]
          ? [{ major: Number(major), minor: Number(minor), op: names[key], value: Number(value) }]
          : [],
      ),
    )
  return {
    io_service_bytes_recursive: of({ rbytes: 'read', wbytes: 'write' }),
    io_serviced_recursive: of({ rios: 'read', wios: 'write' }),
  }
}

/** Counters of every interface but `lo`, as the container's first process sees them. */
function networksOf(pid: number): Record<string, Record<string, number>> {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/net/dev`, 'utf8')
  } catch {
    return {}
  }
  const networks: Record<string, Record<string, number>> = {}
  for (const [, name = '', rest = ''] of text.matchAll(/^\s*([^:\s]+):\s*(.*)$/gm)) {
    if (name === 'lo') continue
    const values = rest.trim().split(/\s+/).map(Number)
    const at = (index: number) => values[index] ?? 0
    networks[name] = {
      rx_bytes: at(0),
      rx_packets: at(1),
      rx_errors: at(2),
      rx_dropped: at(3),
      tx_bytes: at(8),
      tx_packets: at(9),
      tx_errors: at(10),
      tx_dropped: at(11),
    }
  }
  return networks
}

/** Nanoseconds that all processors together have run since boot. */
function systemCpu(): number {
  const fields = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.trim().split(/\s+/).slice(1, 9) ?? []
  return fields.reduce((sum, ticks) => sum + Number(ticks), 0) * NS_PER_TICK
}

function number(text: string | undefined): number {
  const value = Number((text ?? '').trim())
  return Number.isFinite(value) ? value : 0
}

function limit(name: string, text: string | undefined): Record<string, number> {
  const value = number(text)
  return value > 0 ? { [name]: value } : {}
}

function table(text = ''): Record<string, number> {
  return Object.fromEntries(
    [...text.matchAll(/^(\S+) (\d+)$/gm)].map(([, key, value]) => [key, Number(value)]),
  )
}
