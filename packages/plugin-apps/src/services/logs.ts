/** The logs of an app: of what runs, and of what ran. @module */
import { type AppLogLine, type AppLogs, invalid, type LogEntry, type Workload } from '@kernel/contracts'
import type { LogArchive } from '../log-archive.ts'
import { processName } from '../pipeline/check.ts'
import type { Monitor } from '../pipeline/monitor.ts'
import { liveWorkloads } from '../pipeline/routes.ts'
import type { Platform } from '../platform.ts'
import { createMerge } from './merge.ts'

type ReadOptions = NonNullable<Parameters<AppLogs['read']>[1]>

/** Nanoseconds since 1970 of an RFC 3339 time with nanoseconds. */
export function nanoseconds(time: string): bigint {
  const [, seconds = time, fraction = ''] = /^(.*?)(?:\.(\d+))?Z$/.exec(time) ?? []
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9))
}

/** How far a log was read: the time of the last line, and how many lines have that very time. */
interface Seen {
  at: bigint
  count: number
}

function note(seen: Map<string, Seen>, id: string, time: string): void {
  const at = nanoseconds(time)
  const before = seen.get(id)
  seen.set(id, { at, count: before?.at === at ? before.count + 1 : 1 })
}

export function createLogs(platform: Platform, archive: LogArchive, monitor: Monitor): AppLogs {
  const { store, scheduler } = platform

  const lineOf = (workload: Workload, { time, stream, data }: LogEntry): AppLogLine => ({
    time,
    process: processName(workload),
    stream,
    data,
  })
  const matches = (process: string | undefined, name: string) =>
    process === undefined || name === process || name.split('.')[0] === process

  /** What there is now, in order of time; `seen` gets how far each workload was read. */
  async function history(name: string, options: ReadOptions, seen: Map<string, Seen>): Promise<AppLogLine[]> {
    const { process, tail, since } = options
    const lines = (await archive.read(name)).filter(
      (line) => matches(process, line.process) && (since === undefined || nanoseconds(line.time) >= since),
    )
    const app = store.app(name)
    const frozen = (app.frozen ?? []).flatMap(({ processes }) => processes)
    for (const workload of await liveWorkloads(platform, { ...app, live: [...app.live, ...frozen] })) {
      if (!matches(process, processName(workload))) continue
      const wanted = { stdout: true, stderr: true, tail, since }
      for await (const entry of await scheduler.logs(workload.id, wanted)) {
        lines.push(lineOf(workload, entry))
        note(seen, workload.id, entry.time)
      }
    }
    const sorted = lines
      .map((line) => ({ line, at: nanoseconds(line.time) }))
      .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
      .map(({ line }) => line)
    return tail === undefined ? sorted : sorted.slice(Math.max(0, sorted.length - tail))
  }

  /** Follows one workload until its log ends; from where the history ended. */
  async function* followOne(
    workload: Workload,
    seen: Map<string, Seen>,
    since: bigint | undefined,
    signal: AbortSignal,
  ) {
    const last = seen.get(workload.id)
    const options = { stdout: true, stderr: true, follow: true, since: last?.at ?? since, signal }
    let known = last?.count ?? 0
    for await (const entry of await scheduler.logs(workload.id, options)) {
      if (known > 0 && nanoseconds(entry.time) === last?.at) {
        known -= 1
        continue
      }
      note(seen, workload.id, entry.time)
      yield lineOf(workload, entry)
    }
  }

  async function* follow(
    name: string,
    options: ReadOptions,
    seen: Map<string, Seen>,
  ): AsyncGenerator<AppLogLine> {
    const stop = new AbortController()
    const outer = [stop.signal, platform.signal, ...(options.signal ? [options.signal] : [])]
    const signal = AbortSignal.any(outer)
    const merge = createMerge<AppLogLine>(signal)
    const followed = new Set<string>()
    const attach = async () => {
      const app = store.findApp(name)
      if (app === undefined || app.destroying) return merge.end()
      for (const workload of await liveWorkloads(platform, app)) {
        const { id, status } = workload
        if (followed.has(id) || status === 'exited' || !matches(options.process, processName(workload)))
          continue
        followed.add(id)
        // A process that is started again is followed again.
        merge.add(followOne(workload, seen, options.since, signal), () => followed.delete(id))
      }
    }
    const forget = monitor.onChange((changed) => {
      if (changed === name)
        void attach().catch((error) => platform.log.warn('A log can not be followed', { error }))
    })
    try {
      await attach()
      yield* merge.values()
    } finally {
      forget()
      stop.abort()
    }
  }

  return {
    async *read(name, options = {}) {
      store.app(name)
      if (options.tail !== undefined && (!Number.isInteger(options.tail) || options.tail < 0))
        throw invalid(`The number of lines has to be a whole number, not ${options.tail}`)
      const seen = new Map<string, Seen>()
      for (const line of await history(name, options, seen)) {
        if (options.signal?.aborted) return
        yield line
      }
      if (options.follow) yield* follow(name, options, seen)
    },
  }
}
