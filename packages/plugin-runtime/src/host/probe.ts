import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { ensureDir } from '@kernel/state'
import { available, mountOverlay, umount } from '@kernel/sys'
import type { HostFacts } from '../parts.ts'
import { cgroupFacts } from './cgroups.ts'
import { findProgram, programVersion, runProgram } from './programs.ts'
import { probeRuntime } from './runtime-probe.ts'

export interface ProbeOptions {
  dataDir: string
  /** Tried first; default crun, which starts containers twice as fast. */
  preferRuntime?: 'crun' | 'runc'
}

/**
 * Finds out what this machine can do by doing it: a container is run, an overlay mounted, an nftables table
 * made. Nothing is remembered from one call to the next. Takes 50 to 300 ms.
 */
export async function probeHost(options: ProbeOptions): Promise<HostFacts> {
  const root = process.getuid?.() === 0
  const cgroup = process.platform === 'linux' ? cgroupFacts().mode : 'none'
  const nothing = { root, cgroup, overlay: false, nft: false } as const
  const calls = available()
  if (!calls.ok) return { ...nothing, reason: calls.reason ?? 'no system calls' }
  if (!root) return { ...nothing, reason: `containers need root, this runs as user ${process.getuid?.()}` }

  const dir = path.join(options.dataDir, 'tmp')
  await ensureDir(dir)
  const [found, conmon, overlay, nft] = await Promise.all([
    probeRuntime({ dir, ...(options.preferRuntime && { prefer: options.preferRuntime }) }),
    probeConmon(),
    probeOverlay(dir),
    probeNft(),
  ])
  const reasons = [
    ...(found.runtime ? [] : found.reasons),
    ...(conmon ? [] : ['conmon is not installed']),
    ...(overlay === undefined ? [] : [`no overlay mount in ${dir}: ${overlay}`]),
    ...(nft === undefined ? [] : [`nftables: ${nft}`]),
  ]
  return {
    root,
    cgroup,
    overlay: overlay === undefined,
    nft: nft === undefined,
    ...(found.runtime && { runtime: found.runtime }),
    ...(conmon && { conmon }),
    ...(reasons.length > 0 && { reason: reasons.join('; ') }),
  }
}

async function probeConmon(): Promise<HostFacts['conmon']> {
  const file = findProgram('conmon')
  return file ? { path: file, version: await programVersion(file) } : undefined
}

/** Mounts a small overlay in `dir`. Answers undefined on success, else why not. */
export async function probeOverlay(dir: string): Promise<string | undefined> {
  const base = path.join(dir, `overlay-${randomBytes(6).toString('hex')}`)
  const at = (name: string) => path.join(base, name)
  try {
    for (const name of ['lower', 'upper', 'work', 'merged']) fs.mkdirSync(at(name), { recursive: true })
    fs.writeFileSync(at('lower/file'), 'below')
    mountOverlay({ lower: [at('lower')], upper: at('upper'), work: at('work'), target: at('merged') })
    try {
      fs.renameSync(at('merged/file'), at('merged/moved'))
    } finally {
      umount(at('merged'), { detach: true })
    }
    return undefined
  } catch (error) {
    return (error as Error).message
  } finally {
    fs.rmSync(base, { recursive: true, force: true })
  }
}

/** Makes and removes a table with a NAT chain and a map. Answers undefined on success, else why not. */
export async function probeNft(): Promise<string | undefined> {
  const file = findProgram('nft')
  if (!file) return 'nft is not installed'
  const table = `ip kernel_probe_${randomBytes(4).toString('hex')}`
  const input = `add table ${table}
add map ${table} m { type inet_proto . inet_service : ipv4_addr . inet_service; }
add chain ${table} c { type nat hook prerouting priority dstnat; }
add rule ${table} c fib daddr type local dnat ip to meta l4proto . th dport map @m
delete table ${table}
`
  const { code, stderr } = await runProgram(file, ['-f', '-'], { input })
  return code === 0 ? undefined : (stderr.split('\n').find(Boolean) ?? `nft ended with code ${code}`)
}
