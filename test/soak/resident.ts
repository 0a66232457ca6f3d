/** The memory of a process, as the kernel of the machine counts it. @module */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { median } from '../bench/statistics.ts'

const MIB = 1 << 20

export interface Resident {
  /** Resident set in MiB. */
  rss: number
  /** The same, with shared pages counted by share. */
  pss: number
}

function read(pid: number): Resident {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const of = (name: string) =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024) / MIB
  return { rss: of('Rss'), pss: of('Pss') }
}

/** Medians of samples over five seconds: a process that rests breathes as well. */
export async function settled(pid: number): Promise<Resident> {
  await sleep(2_000)
  const samples: Resident[] = []
  for (let n = 0; n < 11; n++) {
    samples.push(read(pid))
    await sleep(300)
  }
  return { rss: median(samples.map(({ rss }) => rss)), pss: median(samples.map(({ pss }) => pss)) }
}

/** The most that a process had while `work` was done, in MiB. */
export async function peakDuring<T>(
  pid: number,
  work: () => Promise<T>,
): Promise<{ result: T; peak: number }> {
  let peak = 0
  const timer = setInterval(() => {
    peak = Math.max(peak, read(pid).rss)
  }, 100)
  try {
    return { result: await work(), peak }
  } finally {
    clearInterval(timer)
  }
}
