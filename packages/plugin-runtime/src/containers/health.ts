/** Health checks: a command run again and again inside, and the state that follows from it. @module */
import { randomBytes } from 'node:crypto'
import type { ContainerState, HealthcheckConfig } from '@kernel/contracts'
import type { Engine } from './engine.ts'
import { runPiped } from './exec-pipes.ts'
import { discardExec, execPid, prepareExec } from './exec-process.ts'
import { identify, signalProcess } from './process-identity.ts'
import { type ContainerRecord, now } from './record.ts'

const MS = 1_000_000 // durations come in nanoseconds
const DEFAULT_INTERVAL = 30_000
const DEFAULT_TIMEOUT = 30_000
const DEFAULT_START_INTERVAL = 5_000
const DEFAULT_RETRIES = 3
/** What is kept of each output, and how many results. */
const MAX_OUTPUT = 4096
const MAX_LOG = 5
const SIGKILL = 9

type Health = NonNullable<ContainerState['Health']>
type Result = Health['Log'][number]

/** argv of the test; undefined where there is none. */
export function healthCommand(
  check: HealthcheckConfig | undefined,
  shell: string[] = ['/bin/sh', '-c'],
): string[] | undefined {
  const [kind, ...rest] = check?.Test ?? []
  if (kind === 'CMD' && rest.length > 0) return rest
  if (kind === 'CMD-SHELL' && rest[0]) return [...shell, rest[0]]
  return undefined
}

/**
 * The state after one more result. A failure while the container still starts does not count; one success ends
 * the start.
 */
export function nextHealth(
  health: Health,
  result: Result,
  options: { retries: number; starting: boolean },
): Health {
  const Log = [...health.Log, result].slice(-MAX_LOG)
  if (result.ExitCode === 0) return { Status: 'healthy', FailingStreak: 0, Log }
  if (options.starting && health.Status === 'starting') return { ...health, Log }
  const FailingStreak = health.FailingStreak + 1
  return { Status: FailingStreak >= options.retries ? 'unhealthy' : health.Status, FailingStreak, Log }
}

/** Begins (or, after a restart of the daemon, goes on) checking a running container, until `live.stopHealth`. */
export function startHealthcheck(
  engine: Engine,
  record: ContainerRecord,
  options: { goOn?: boolean } = {},
): void {
  const check = record.config.Healthcheck
  const command = healthCommand(check, record.config.Shell)
  if (!check || !command) {
    record.health = undefined
    return
  }
  if (!options.goOn || !record.health) record.health = { Status: 'starting', FailingStreak: 0, Log: [] }
  const live = engine.live(record)
  const began = Date.parse(record.startedAt)
  const startPeriod = (check.StartPeriod ?? 0) / MS
  const interval = check.Interval ? check.Interval / MS : DEFAULT_INTERVAL
  const startInterval = check.StartInterval ? check.StartInterval / MS : DEFAULT_START_INTERVAL
  const isStarting = () => record.health?.Status === 'starting' && Date.now() - began < startPeriod
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  const schedule = () => {
    if (!stopped) timer = setTimeout(() => void run(), isStarting() ? startInterval : interval)
  }
  const run = async () => {
    if (record.status === 'running') {
      const starting = isStarting()
      const result = await probe(
        engine,
        record,
        command,
        check.Timeout ? check.Timeout / MS : DEFAULT_TIMEOUT,
      )
      if (stopped || !record.health) return
      const before = record.health.Status
      record.health = nextHealth(record.health, result, {
        retries: check.Retries || DEFAULT_RETRIES,
        starting,
      })
      if (record.health.Status !== before) {
        engine.registry.save(record)
        engine.publish(record, `health_status: ${record.health.Status}`)
      }
    }
    schedule()
  }
  live.stopHealth?.()
  live.stopHealth = () => {
    stopped = true
    clearTimeout(timer)
  }
  schedule()
}

async function probe(
  engine: Engine,
  record: ContainerRecord,
  command: string[],
  timeoutMs: number,
): Promise<Result> {
  const Start = now()
  const id = randomBytes(16).toString('hex')
  let dir: string | undefined
  try {
    dir = prepareExec(engine, record, id, { Cmd: command })
    const at = dir
    const run = runPiped(engine, record, at, {
      stdin: false,
      stdout: true,
      stderr: true,
      argv0: command[0] ?? '',
    })
    let late = false
    const timer = setTimeout(() => {
      late = true
      const pid = execPid(at)
      if (pid !== undefined) signalProcess(identify(pid), SIGKILL)
      run.stream.detach()
    }, timeoutMs)
    let Output = ''
    for await (const { data } of run.stream.output)
      if (Output.length < MAX_OUTPUT)
        Output = (Output + Buffer.from(data).toString('utf8')).slice(0, MAX_OUTPUT)
    const { exitCode } = await run.exit
    clearTimeout(timer)
    if (late)
      return { Start, End: now(), ExitCode: -1, Output: `Health check exceeded timeout (${timeoutMs}ms)` }
    return { Start, End: now(), ExitCode: exitCode, Output }
  } catch (error) {
    return { Start, End: now(), ExitCode: -1, Output: (error as Error).message.slice(0, MAX_OUTPUT) }
  } finally {
    if (dir) discardExec(dir)
  }
}
