/** What an earlier start found out about this machine, as long as that holds: a probe takes 50 to 300 ms. @module */
import fs from 'node:fs'
import path from 'node:path'
import { readJson, writeJson } from '@kernel/state'
import type { HostFacts } from '../parts.ts'
import { type ProbeOptions, probeHost } from './probe.ts'
import { findProgram } from './programs.ts'

/** Part of every key: raised where a probe looks for something else than before. */
const PROBE_VERSION = 1
const PROGRAMS = ['crun', 'runc', 'conmon', 'nft']

/**
 * {@link probeHost}, or what it said in this boot of the machine with the same programs and the same data dir. What
 * can't be had is probed every time, so that its cure is seen. `kernel doctor` always tries.
 */
export async function rememberedHost(options: ProbeOptions): Promise<HostFacts> {
  const file = path.join(options.dataDir, 'run', 'host.json')
  const key = keyOf(options)
  const known = await readJson<{ key: string; facts: HostFacts }>(file).catch(() => undefined)
  if (known?.key === key) return known.facts
  const facts = await probeHost(options)
  if (facts.reason === undefined) await writeJson(file, { key, facts }).catch(() => {}) // a full disk: next time
  return facts
}

/** Changes with the boot, with any of the programs, and with the disk of the data dir. */
function keyOf({ dataDir, preferRuntime }: ProbeOptions): string {
  const boot = read('/proc/sys/kernel/random/boot_id')
  const programs = PROGRAMS.map((name) => {
    const file = findProgram(name)
    const stat = file === undefined ? undefined : fs.statSync(file, { throwIfNoEntry: false })
    return stat ? `${file} ${stat.size} ${stat.mtimeMs} ${stat.ino}` : `no ${name}`
  })
  const { dev } = fs.statSync(dataDir)
  const who = `${process.getuid?.()} ${preferRuntime ?? ''}`
  return [PROBE_VERSION, boot, who, dataDir, dev, ...programs].join('\n')
}

function read(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}
