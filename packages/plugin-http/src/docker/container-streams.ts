import { type ContainerExit, type Containers, invalid, type LogEntry } from '@kernel/contracts'
import { stringifyJson } from '../json.ts'
import { streamBody } from '../server/stream-body.ts'
import { parseTime } from '../times.ts'
import { parseDetachKeys } from './detach-keys.ts'
import { encoderFor, streamContentType } from './framing.ts'
import { engineHeaders } from './headers.ts'
import { boolQuery, pathName } from './queries.ts'
import { finish, pump } from './streams.ts'
import type { DockerContext, DockerServices } from './types.ts'

type WaitCondition = Parameters<Containers['wait']>[1]

/** What containers say and when they end: attach, logs, wait. */
export function containerStreamHandlers({
  containers,
  engine,
}: Pick<DockerServices, 'containers' | 'engine'>) {
  async function attachContainer(context: DockerContext): Promise<Response> {
    const id = pathName(context)
    const wanted = {
      stdin: boolQuery(context, 'stdin'),
      stdout: boolQuery(context, 'stdout'),
      stderr: boolQuery(context, 'stderr'),
      stream: boolQuery(context, 'stream'),
      logs: boolQuery(context, 'logs'),
    }
    const detachKeys = parseDetachKeys(context.req.query('detachKeys'))
    const { Config } = await containers.inspect(id)
    const tty = Config.Tty === true
    // Attached before the head is written: the client starts the container as soon as it sees the head.
    const stream = await containers.attach(id, wanted)
    const connection = context.env.hijack(
      streamContentType(tty, context.var.version.minor),
      engineHeaders(engine),
    )
    void pump(connection, stream, {
      stdin: wanted.stdin && wanted.stream,
      encode: encoderFor(tty),
      signal: context.env.signal,
      ...(tty && { detachKeys }),
    }).finally(() => finish(connection))
    return context.env.hijacked
  }

  async function containerLogs(context: DockerContext): Promise<Response> {
    const id = pathName(context)
    const stdout = boolQuery(context, 'stdout')
    const stderr = boolQuery(context, 'stderr')
    if (!stdout && !stderr) throw invalid('Bad parameters: you must choose at least one stream')
    const { Config } = await containers.inspect(id)
    const until = parseTime(context.req.query('until'))
    const entries = await containers.logs(id, {
      stdout,
      stderr,
      follow: boolQuery(context, 'follow'),
      tail: parseTail(context.req.query('tail')),
      since: parseTime(context.req.query('since')),
      // The command line sends 0 where no end is wanted.
      until: until === 0n ? undefined : until,
      signal: context.env.signal,
    })
    const tty = Config.Tty === true
    const prefix = linePrefix({
      timestamps: boolQuery(context, 'timestamps'),
      details: boolQuery(context, 'details'),
    })
    const encode = encoderFor(tty)
    async function* frames() {
      for await (const entry of entries) yield encode({ stream: entry.stream, data: prefix(entry) })
    }
    return new Response(streamBody(frames()), {
      headers: { 'Content-Type': streamContentType(tty, context.var.version.minor) },
    })
  }

  /** The head is sent as soon as the waiter stands: the client starts the container only then. */
  async function waitContainer(context: DockerContext): Promise<Response> {
    const id = pathName(context)
    const condition = waitCondition(context)
    const stop = new AbortController()
    const abort = () => stop.abort()
    context.env.signal.addEventListener('abort', abort, { once: true })
    const exit = containers.wait(id, condition, stop.signal)
    try {
      await Promise.race([exit, containers.inspect(id)])
    } catch (error) {
      stop.abort()
      exit.catch(() => {})
      throw error
    }
    async function* result() {
      const result = await exit.then(waitBody, waitFailure)
      // Until 1.42 the field was there without an error, too.
      const body = context.var.version.minor < 42 ? { Error: null, ...result } : result
      // A daemon that stops knows no exit code: an answer that breaks off is the truth.
      if (!context.env.signal.aborted) yield `${stringifyJson(body)}\n`
    }
    return new Response(streamBody(result()), { headers: { 'Content-Type': 'application/json' } })
  }

  return { attachContainer, containerLogs, waitContainer }
}

function waitCondition(context: DockerContext): WaitCondition {
  const condition = context.req.query('condition') || 'not-running'
  // Before 1.30 there was no choice, and what was sent was ignored.
  if (context.var.version.minor < 30) return 'not-running'
  if (condition === 'not-running' || condition === 'next-exit' || condition === 'removed') return condition
  throw invalid(`invalid condition: "${condition}"`)
}

const waitBody = ({ exitCode, error }: ContainerExit) => ({
  StatusCode: exitCode,
  ...(error && { Error: { Message: error } }),
})
const waitFailure = (error: unknown) => ({ StatusCode: -1, Error: { Message: (error as Error).message } })

/** `all`, nothing or nonsense: all, as dockerd has it. */
function parseTail(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}

/**
 * Puts the time before every line. A long line comes in several entries; only its first one gets the prefix.
 */
function linePrefix({ timestamps, details }: { timestamps: boolean; details: boolean }) {
  const inLine = { 1: false, 2: false }
  return ({ stream, time, data }: LogEntry): Uint8Array => {
    const begins = !inLine[stream]
    inLine[stream] = data.at(-1) !== 0x0a
    if (!begins || !(timestamps || details)) return data
    // Details are attributes of the logging driver; there are none, only the space that parts them.
    return Buffer.concat([Buffer.from(`${timestamps ? `${time} ` : ''}${details ? ' ' : ''}`), data])
  }
}
