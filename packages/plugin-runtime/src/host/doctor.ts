import fs from 'node:fs'
import path from 'node:path'
import { ensureDir } from '@kernel/state'
import { available } from '@kernel/sys'
import { cgroupFacts } from './cgroups.ts'
import { type Check, fail, ok, warn } from './check.ts'
import { clockCheck } from './clock.ts'
import { diskChecks } from './disk.ts'
import { forwardingCheck, nftablesCheck } from './firewall-check.ts'
import { portHolders } from './port-holders.ts'
import { probeOverlay } from './probe.ts'
import { findProgram, programVersion } from './programs.ts'
import { probeRuntime } from './runtime-probe.ts'

export interface DoctorOptions {
  dataDir: string
  preferRuntime?: 'crun' | 'runc'
  /** Ports that the daemon listens on, and what for (`HTTP`). */
  ports?: Array<{ port: number; purpose: string }>
  /** The daemon itself, where it runs: its ports are not taken by someone else. */
  ownPids?: number[]
}

/** Git that knows `init --initial-branch`, which repositories are made with. */
const OLDEST_GIT = [2, 28]

/**
 * Looks at everything that the product needs of this machine, by trying it where it can be tried. Each line says
 * what was found and, where something is missing, what to do. Never throws; leaves nothing behind.
 */
export async function doctorChecks(options: DoctorOptions): Promise<Check[]> {
  const root = process.getuid?.() === 0
  const calls = available()
  const real = root && calls.ok
  const dir = path.join(options.dataDir, 'tmp')
  let writable: string | undefined
  try {
    await ensureDir(dir)
  } catch (error) {
    writable = (error as Error).message
  }
  const groups = await Promise.all([
    rootCheck(root, calls),
    runtimeCheck(options, dir, real && writable === undefined),
    conmonCheck(),
    overlayCheck(dir, real, writable),
    cgroupCheck(),
    nftablesCheck(real),
    forwardingCheck(root),
    gitCheck(),
    portChecks(options),
    diskChecks(options.dataDir),
    clockCheck(options.dataDir),
  ])
  return groups.flat()
}

function rootCheck(root: boolean, calls: { ok: boolean; reason?: string }): Check {
  if (!calls.ok)
    return fail('system calls', calls.reason ?? 'not available', 'Use Linux with glibc or musl, x64 or arm64')
  if (root) return ok('user', 'root')
  return warn(
    'user',
    `user ${process.getuid?.()}, not root`,
    'Containers need root: run the daemon by sudo. Without it, applications run as plain processes',
  )
}

async function runtimeCheck(options: DoctorOptions, dir: string, real: boolean): Promise<Check> {
  const name = 'OCI runtime'
  if (!real) {
    const found = (['crun', 'runc'] as const).filter((one) => findProgram(one))
    if (found.length === 0) return fail(name, 'neither crun nor runc', 'apt install crun')
    return warn(name, `${found.join(' and ')}, not tried`, 'Run as root to try it')
  }
  const { preferRuntime: prefer } = options
  const { runtime, reasons } = await probeRuntime({ dir, ...(prefer && { prefer }) })
  if (runtime) {
    const hidden = runtime.unmountUnified ? ', with cgroup v2 hidden from it' : ''
    return ok(name, `${runtime.kind} ${runtime.version} ran a container${hidden}`)
  }
  const missing = reasons.every((reason) => reason.endsWith('is not installed'))
  return fail(
    name,
    reasons.join('; '),
    missing ? 'apt install crun' : 'apt install crun runc, then see the reasons above',
  )
}

async function conmonCheck(): Promise<Check> {
  const file = findProgram('conmon')
  if (!file) return fail('conmon', 'not installed', 'apt install conmon')
  return ok('conmon', await programVersion(file))
}

async function overlayCheck(dir: string, real: boolean, writable: string | undefined): Promise<Check> {
  if (writable !== undefined)
    return fail('overlayfs', writable, `Make the data dir writable: chown -R $(id -u) ${dir}`)
  if (real) {
    const failure = await probeOverlay(dir)
    if (failure === undefined) return ok('overlayfs', `mounted in ${dir}`)
    return fail(
      'overlayfs',
      failure,
      'modprobe overlay; put the data dir on ext4, xfs or btrfs, not on another overlay',
    )
  }
  const listed =
    fs.existsSync('/proc/filesystems') && /\boverlay$/m.test(fs.readFileSync('/proc/filesystems', 'utf8'))
  if (listed) return ok('overlayfs', 'known to the kernel, not tried')
  return warn('overlayfs', 'not listed in /proc/filesystems', 'modprobe overlay')
}

function cgroupCheck(): Check {
  const { mode, controllers } = cgroupFacts()
  if (mode === 'none') {
    return fail('cgroups', 'not mounted', 'mount -t cgroup2 none /sys/fs/cgroup')
  }
  const missing = ['cpu', 'memory', 'pids'].filter((name) => !controllers.includes(name))
  const found = `${mode}: ${controllers.join(', ') || 'no controllers'}`
  if (missing.length === 0) return ok('cgroups', found)
  const advice = missing.includes('memory')
    ? 'Add `cgroup_enable=memory swapaccount=1` to the kernel command line, and reboot'
    : 'Enable the missing controllers in the kernel'
  return warn('cgroups', `${found}; limits do not work for ${missing.join(', ')}`, advice)
}

async function gitCheck(): Promise<Check> {
  const file = findProgram('git')
  if (!file) return fail('git', 'not installed', 'apt install git')
  const version = await programVersion(file)
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldMajor = 0, oldMinor = 0] = OLDEST_GIT
  if (major > oldMajor || (major === oldMajor && minor >= oldMinor)) return ok('git', version)
  return fail('git', `${version}, too old`, `Install git ${OLDEST_GIT.join('.')} or newer: apt install git`)
}

function portChecks(options: DoctorOptions): Check[] {
  const asked = options.ports ?? []
  const holders = portHolders(asked.map((one) => one.port))
  return asked.map(({ port, purpose }) => {
    const name = `port ${port}`
    const holder = holders.find((one) => one.port === port)
    if (!holder) return lowPortCheck(name, port, purpose)
    const { process } = holder
    if (process && options.ownPids?.includes(process.pid))
      return ok(name, `${purpose}: this daemon (pid ${process.pid})`)
    const who = process ? `${process.name} (pid ${process.pid})` : 'another process'
    const stop = process
      ? `stop it (systemctl stop ${process.name})`
      : `find it as root (ss -ltnp 'sport = :${port}')`
    return fail(name, `${purpose}: taken by ${who}`, `Either ${stop}, or give ${purpose} another port`)
  })
}

function lowPortCheck(name: string, port: number, purpose: string): Check {
  if (process.getuid?.() !== 0 && port < unprivilegedFrom()) {
    return fail(
      name,
      `${purpose}: free, but only root may listen there`,
      `Run as root, give ${purpose} a port from ${unprivilegedFrom()} on, or: sysctl -w net.ipv4.ip_unprivileged_port_start=${port}`,
    )
  }
  return ok(name, `${purpose}: free`)
}

function unprivilegedFrom(): number {
  try {
    return Number(fs.readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'latin1'))
  } catch {
    return 1024
  }
}
