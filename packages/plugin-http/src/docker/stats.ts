import { setTimeout as sleep } from 'node:timers/promises'
import { stringifyJson } from '../json.ts'
import { streamBody } from '../server/stream-body.ts'
import { boolQuery, pathName } from './queries.ts'
import type { DockerContext, DockerServices } from './types.ts'

const zeroTime = '0001-01-01T00:00:00Z'
/** The clients compute rates from two samples a second apart, as dockerd takes them. */
const periodMs = 1000

/** Go's zero values of what a sample has in any case. */
const noProcessor = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
}
const blockIo = [
  ...['io_service_bytes_recursive', 'io_serviced_recursive', 'io_queue_recursive'],
  ...['io_service_time_recursive', 'io_wait_time_recursive', 'io_merged_recursive'],
  ...['io_time_recursive', 'sectors_recursive'],
]

type Sample = Record<string, unknown>

/** `GET /containers/{id}/stats`: each second; or two samples (`stream=0`); or one (`one-shot=1`). */
export function statsHandlers({ containers }: Pick<DockerServices, 'containers'>) {
  async function containerStats(context: DockerContext): Promise<Response> {
    const { Id, Name } = await containers.inspect(pathName(context))
    const stream = boolQuery(context, 'stream', true)
    const oneShot = boolQuery(context, 'one-shot')
    const { signal } = context.env

    async function take(previous: Sample | undefined): Promise<Sample> {
      const { State } = await containers.inspect(Id)
      const sample: Sample = State.Running
        ? { read: new Date().toISOString(), ...(await containers.stats(Id)) }
        : { read: zeroTime, cpu_stats: noProcessor, memory_stats: {}, pids_stats: {} }
      return {
        num_procs: 0,
        storage_stats: {},
        ...sample,
        blkio_stats: State.Running
          ? { ...Object.fromEntries(blockIo.map((name) => [name, []])), ...(sample.blkio_stats as object) }
          : Object.fromEntries(blockIo.map((name) => [name, null])),
        name: Name,
        id: Id,
        preread: previous?.read ?? zeroTime,
        precpu_stats: previous?.cpu_stats ?? noProcessor,
      }
    }

    async function* samples() {
      let last = await take(undefined)
      const running = last.read !== zeroTime
      // Alone, a first sample says nothing about rates; a stopped container has none.
      if (!stream && !oneShot && running) {
        await sleep(periodMs, undefined, { signal })
        last = await take(last)
      }
      yield `${stringifyJson(last)}\n`
      while (stream) {
        await sleep(periodMs, undefined, { signal })
        last = await take(last)
        yield `${stringifyJson(last)}\n`
      }
    }
    return new Response(streamBody(untilGone(samples())), { headers: { 'Content-Type': 'application/json' } })
  }
  return { containerStats }
}

/** The client left, or the container was removed meanwhile: either way the stream is over. */
async function* untilGone(samples: AsyncIterable<string>): AsyncGenerator<string> {
  try {
    yield* samples
  } catch {
    return
  }
}
