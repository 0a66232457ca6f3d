/** Attaching to a container: what was logged, what comes, or both. @module */
import type { LogEntry, LogOptions, OutputChunk, ProcessStream } from '@kernel/contracts'
import { conflict, notSupported } from '@kernel/contracts'
import type { Engine } from './engine.ts'
import { logPolicyOf } from './log-files.ts'
import { readLog } from './log-reader.ts'
import { type ContainerRecord, isRunning } from './record.ts'

export interface AttachRequest {
  stdin?: boolean
  stdout?: boolean
  stderr?: boolean
  stream?: boolean
  logs?: boolean
}

export function attachContainer(engine: Engine, ref: string, options: AttachRequest): ProcessStream {
  const record = engine.registry.resolve(ref)
  if (record.status === 'paused')
    throw conflict(`container ${ref} is paused, unpause the container before attach`)
  if (record.status === 'restarting')
    throw conflict(`container ${ref} is restarting, wait until the container is running`)
  const past = options.logs
    ? readContainerLog(engine, record, { stdout: options.stdout, stderr: options.stderr })
    : undefined
  if (options.stream === false) return { ...closed, output: past ?? none() }
  const stream = engine.live(record).console.attach(options)
  engine.publish(record, 'attach')
  return past ? { ...stream, output: inTurn(past, stream.output) } : stream
}

/** @throws not-supported where nothing is logged */
export function readContainerLog(
  engine: Engine,
  record: ContainerRecord,
  options: LogOptions,
): AsyncGenerator<LogEntry> {
  if (logPolicyOf(record.hostConfig.LogConfig).driver === 'none')
    throw notSupported('configured logging driver does not support reading')
  const running = isRunning(record)
  return readLog(engine.logPath(record.id), options, running ? engine.live(record).exit.promise : undefined)
}

async function* inTurn(...parts: AsyncIterable<OutputChunk>[]): AsyncGenerator<OutputChunk> {
  for (const part of parts) yield* part
}

async function* none(): AsyncGenerator<OutputChunk> {}

const closed: Omit<ProcessStream, 'output'> = {
  write: async () => {},
  closeInput: async () => {},
  detach: () => {},
}
