/** Execs: further processes in a container, by Docker's create, start, inspect. @module */
import { randomBytes } from 'node:crypto'
import type { ContainerExit, ExecCreate, ExecInspect, OutputChunk, ProcessStream } from '@kernel/contracts'
import { conflict, invalid, notFound } from '@kernel/contracts'
import { conmonExec, conmonResize } from './conmon.ts'
import { createConsole } from './console.ts'
import type { Engine } from './engine.ts'
import { execFailure, runPiped } from './exec-pipes.ts'
import { discardExec, prepareExec } from './exec-process.ts'
import { cleanMessage, explainStart } from './oci-runtime.ts'
import type { ContainerRecord } from './record.ts'

/** How long an exec can still be inspected after its end. */
const KEPT_MS = 5 * 60_000

interface Exec {
  id: string
  containerId: string
  body: ExecCreate
  status: 'created' | 'running' | 'ended'
  pid: number
  exit: PromiseWithResolvers<ContainerExit>
  outcome?: ContainerExit
  endedAt?: number
  size?: [number, number]
  dir?: string
}

export interface Execs {
  create(ref: string, body: ExecCreate): string
  start(
    id: string,
    options: { attach: boolean; tty?: boolean; consoleSize?: [number, number] },
  ): Promise<ProcessStream>
  inspect(id: string): ExecInspect
  resize(id: string, rows: number, columns: number): void
  wait(id: string): Promise<ContainerExit>
}

export function createExecs(engine: Engine): Execs {
  const execs = new Map<string, Exec>()

  function find(id: string): Exec {
    const exec = execs.get(id)
    if (!exec || !engine.registry.get(exec.containerId)) throw notFound(`No such exec instance: ${id}`)
    return exec
  }

  function sweep(): void {
    const old = Date.now() - KEPT_MS
    for (const exec of execs.values())
      if (!engine.registry.get(exec.containerId) || (exec.endedAt ?? Number.POSITIVE_INFINITY) < old)
        execs.delete(exec.id)
  }

  function finish(exec: Exec, record: ContainerRecord, outcome: ContainerExit): void {
    if (exec.status === 'ended') return
    exec.status = 'ended'
    exec.outcome = outcome
    exec.endedAt = Date.now()
    if (engine.registry.get(record.id)) engine.live(record).execs.delete(exec.id)
    if (exec.dir) discardExec(exec.dir)
    engine.publish(record, 'exec_die', { exitCode: String(outcome.exitCode), execID: exec.id })
    exec.exit.resolve(outcome)
  }

  async function start(
    id: string,
    options: { attach: boolean; tty?: boolean; consoleSize?: [number, number] },
  ): Promise<ProcessStream> {
    const exec = find(id)
    const record = requireRunning(engine, exec.containerId)
    if (exec.status === 'running') throw conflict(`Error: Exec command ${id} is already running`)
    if (exec.status === 'ended') throw conflict(`Error: Exec command ${id} has already run`)
    exec.status = 'running'
    engine.live(record).execs.add(id)
    const size = options.consoleSize ?? exec.size
    const body = size ? { ...exec.body, ConsoleSize: size } : exec.body
    try {
      exec.dir = prepareExec(engine, record, id, body)
    } catch (error) {
      finish(exec, record, { exitCode: 126, error: (error as Error).message })
      throw error
    }
    engine.publish(record, `exec_start: ${body.Cmd.join(' ')}`, { execID: id })
    return body.Tty ? startTty(exec, record, options.attach) : startPiped(exec, record, options.attach)
  }

  async function startPiped(exec: Exec, record: ContainerRecord, attach: boolean): Promise<ProcessStream> {
    const { body, dir = '' } = exec
    const run = runPiped(engine, record, dir, {
      stdin: attach && body.AttachStdin === true,
      stdout: attach && body.AttachStdout === true,
      stderr: attach && body.AttachStderr === true,
      argv0: body.Cmd[0] ?? '',
      onPid: (pid) => {
        exec.pid = pid
      },
    })
    const ended = run.exit.then((outcome) => finish(exec, record, outcome))
    if (!attach) {
      const failure = await run.started
      if (failure) {
        await ended
        throw invalid(failure)
      }
      return nothing
    }
    return { ...run.stream, output: thenWait(run.stream.output, ended) }
  }

  async function startTty(exec: Exec, record: ContainerRecord, attach: boolean): Promise<ProcessStream> {
    const { body, dir = '' } = exec
    const stdin = attach && body.AttachStdin === true
    const session = conmonExec(engine.conmon, engine.runtime, {
      containerId: record.id,
      execId: exec.id,
      bundle: dir,
      stdin,
    })
    const console = createConsole({ tty: true, stdin, stdinOnce: false })
    const stream = attach ? console.attach({ stdin, stdout: true, stderr: true }) : nothing
    await session.ready
    console.open(dir, record.process?.pid ?? 0)
    session.go()
    let complaint = ''
    const ended = (async () => {
      try {
        exec.pid = await session.pid
        console.open(dir, exec.pid)
        if (exec.size) conmonResize(dir, ...exec.size)
        const exitCode = await session.exitCode
        finish(exec, record, { exitCode })
      } catch (error) {
        const why = explainStart(cleanMessage((error as Error).message), body.Cmd[0] ?? '')
        complaint = execFailure(why.message)
        finish(exec, record, { exitCode: why.exitCode, error: complaint })
      } finally {
        console.end()
      }
    })()
    if (!attach) {
      await session.pid.catch(() => ended)
      if (complaint) throw invalid(complaint)
      return nothing
    }
    const complain = () => (complaint ? [{ stream: 1 as const, data: Buffer.from(`${complaint}\r\n`) }] : [])
    return { ...stream, output: thenWait(stream.output, ended, complain) }
  }

  return {
    create: (ref, body) => {
      const record = requireRunning(engine, ref)
      if (!body.Cmd || body.Cmd.length === 0) throw invalid('No exec command specified')
      sweep()
      const id = randomBytes(32).toString('hex')
      const exec: Exec = {
        id,
        containerId: record.id,
        body,
        status: 'created',
        pid: 0,
        exit: Promise.withResolvers(),
      }
      execs.set(id, exec)
      engine.publish(record, `exec_create: ${body.Cmd.join(' ')}`, { execID: id })
      return id
    },
    start,
    inspect: (id) => {
      const { containerId, body, status, outcome, pid } = find(id)
      const [entrypoint = '', ...args] = body.Cmd
      return {
        ID: id,
        ContainerID: containerId,
        Running: status === 'running',
        ExitCode: outcome?.exitCode ?? null,
        Pid: pid,
        CanRemove: status === 'ended',
        OpenStdin: body.AttachStdin === true,
        OpenStdout: body.AttachStdout === true,
        OpenStderr: body.AttachStderr === true,
        DetachKeys: body.DetachKeys ?? '',
        ProcessConfig: {
          tty: body.Tty === true,
          entrypoint,
          arguments: args,
          privileged: body.Privileged === true,
          ...(body.User ? { user: body.User } : {}),
        },
      }
    },
    resize: (id, rows, columns) => {
      const exec = find(id)
      exec.size = [rows, columns]
      if (exec.body.Tty && exec.status === 'running' && exec.dir) conmonResize(exec.dir, rows, columns)
    },
    wait: (id) => find(id).exit.promise,
  }
}

/** @throws conflict in dockerd's words where the container can't take an exec now */
function requireRunning(engine: Engine, ref: string): ContainerRecord {
  const record = engine.registry.resolve(ref)
  if (record.status === 'paused')
    throw conflict(`container ${ref} is paused, unpause the container before exec`)
  if (record.status === 'restarting')
    throw conflict(`container ${ref} is restarting, wait until the container is running`)
  if (record.status !== 'running') throw conflict(`container ${record.id} is not running`)
  return record
}

/** The exit code is known before the reader sees the end. */
async function* thenWait(
  output: AsyncIterable<OutputChunk>,
  ended: Promise<void>,
  last: () => OutputChunk[] = () => [],
): AsyncGenerator<OutputChunk> {
  yield* output
  await ended
  yield* last()
}

/** The stream of a detached exec. */
const nothing: ProcessStream = {
  output: {
    async *[Symbol.asyncIterator]() {},
  },
  write: async () => {},
  closeInput: async () => {},
  detach: () => {},
}
