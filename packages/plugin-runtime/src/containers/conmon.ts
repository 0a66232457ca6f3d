/**
 * conmon: one small process a container, which holds its pipes and terminal, writes its log and its exit
 * code, and outlives this daemon.
 * @module
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { cleanMessage, OciError, type OciRuntime } from './oci-runtime.ts'

export interface ConmonContainer {
  id: string
  name: string
  /** Folder with config.json; conmon puts `attach`, `ctl`, `pidfile` and `conmon.pid` there. */
  bundle: string
  exitDir: string
  /** Undefined: nothing is logged. */
  logPath?: string
  /** Bytes after which conmon itself starts the log anew and forgets what was in it. */
  logSizeMax?: number
  tty: boolean
  stdin: boolean
  leaveStdinOpen: boolean
}

export interface ConmonExec {
  containerId: string
  execId: string
  /** Folder of this exec, with the process as `process.json`. */
  bundle: string
  stdin: boolean
}

interface SyncMessage {
  data?: number
  pid?: number
  exit_code?: number
  message?: string
}

/** Runs `create` of the OCI runtime under a new conmon. @returns the pid of the container's first process; @throws OciError */
export async function conmonCreate(
  conmon: string,
  runtime: OciRuntime,
  container: ConmonContainer,
): Promise<number> {
  const { id, bundle, logPath, logSizeMax } = container
  const args = [
    ...commonArgs(runtime.createCommand),
    ...['-c', id, '-u', id, '-n', container.name, '-b', bundle, '--persist-dir', bundle],
    ...['--exit-dir', container.exitDir, '-p', join(bundle, 'pidfile'), '-P', join(bundle, 'conmon.pid')],
    ...['-l', logPath ? `k8s-file:${logPath}` : 'none'],
    ...(logSizeMax ? ['--log-size-max', String(logSizeMax)] : []),
    ...(container.tty ? ['-t'] : []),
    ...(container.stdin ? ['-i'] : []),
    ...(container.stdin && container.leaveStdinOpen ? ['--leave-stdin-open'] : []),
  ]
  const session = launch(conmon, args, bundle)
  session.start()
  try {
    const first = await session.next()
    const pid = first?.data ?? first?.pid ?? -1
    if (pid <= 0) throw new OciError(cleanMessage(first?.message ?? '') || session.complaint())
    return pid
  } finally {
    session.close()
  }
}

export interface ExecSession {
  /** Once the attach socket is there: attach, then go on. */
  ready: Promise<void>
  go(): void
  /** @throws OciError where the process could not be started */
  pid: Promise<number>
  /** After `pid`. */
  exitCode: Promise<number>
}

/** Runs `exec` of the OCI runtime with a terminal, under a conmon of its own. */
export function conmonExec(conmon: string, runtime: OciRuntime, exec: ConmonExec): ExecSession {
  const { bundle } = exec
  const args = [
    ...commonArgs(runtime.command),
    ...[
      '-c',
      exec.containerId,
      '-u',
      exec.execId,
      '-n',
      exec.execId,
      '-b',
      bundle,
      '-e',
      '--exec-attach',
      '-t',
    ],
    // No exit dir: conmon names the file after the container, which would seem to have ended.
    ...['--exec-process-spec', join(bundle, 'process.json')],
    ...['-p', join(bundle, 'pidfile'), '-l', 'none'],
    ...(exec.stdin ? ['-i', '--leave-stdin-open'] : []),
  ]
  const session = launch(conmon, args, bundle, { attachPipe: true })
  session.start()
  const pid = session.next().then((message) => {
    const number = message?.data ?? message?.pid ?? -1
    if (number > 0) return number
    session.close()
    throw new OciError(cleanMessage(message?.message ?? '') || session.complaint())
  })
  const exitCode = pid
    .then(() => session.next())
    .then((message) => message?.exit_code ?? message?.data ?? 255)
    .finally(() => session.close())
  exitCode.catch(() => {})
  return { ready: session.attachable, go: () => session.start(true), pid, exitCode }
}

function commonArgs([program, ...rest]: OciRuntime['command']): string[] {
  return [
    ...['--api-version', '1', '-r', program, ...rest.flatMap((arg) => ['--runtime-arg', arg])],
    ...['--full-attach', '--no-sync-log', '--log-level', 'error'],
  ]
}

function launch(conmon: string, args: string[], cwd: string, options: { attachPipe?: boolean } = {}) {
  const complaints = join(cwd, 'conmon.log')
  const stderr = fs.openSync(complaints, 'w', 0o600)
  const child = spawn(conmon, args, {
    cwd,
    detached: true,
    stdio: ['ignore', 'ignore', stderr, 'pipe', 'pipe', ...(options.attachPipe ? (['pipe'] as const) : [])],
    env: {
      PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin',
      _OCI_SYNCPIPE: '3',
      _OCI_STARTPIPE: '4',
      ...(options.attachPipe ? { _OCI_ATTACHPIPE: '5' } : {}),
    },
  })
  fs.closeSync(stderr)
  const sync = child.stdio[3] as NodeJS.ReadableStream & { destroy(): void; setEncoding(e: string): void }
  const startPipe = child.stdio[4] as Writable
  const attachPipe = (child.stdio as readonly unknown[])[5] as
    | (NodeJS.ReadableStream & { destroy(): void })
    | undefined
  startPipe.on('error', () => {})

  const arrived: SyncMessage[] = []
  const waiting: Array<(message: SyncMessage | undefined) => void> = []
  let text = ''
  let ended = false
  sync.setEncoding('utf8')
  sync.on('data', (chunk: string) => {
    text += chunk
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      const message = parse(text.slice(0, end))
      text = text.slice(end + 1)
      const waiter = waiting.shift()
      if (waiter) waiter(message)
      else arrived.push(message)
    }
  })
  const finish = () => {
    ended = true
    for (const waiter of waiting.splice(0)) waiter(undefined)
  }
  sync.on('end', finish)
  sync.on('close', finish)
  sync.on('error', finish)
  child.on('error', finish)

  const attachable = new Promise<void>((resolve) => {
    if (!attachPipe) return resolve()
    attachPipe.on('error', () => resolve())
    attachPipe.once('data', () => resolve())
    attachPipe.once('close', () => resolve())
  })
  return {
    attachable,
    /** One byte lets conmon go on; an exec asks for a second one after its socket is there. */
    start: (last = !options.attachPipe) => {
      if (last) startPipe.end('\0')
      else startPipe.write('\0')
    },
    next: (): Promise<SyncMessage | undefined> => {
      const message = arrived.shift()
      if (message || ended) return Promise.resolve(message)
      return new Promise((resolve) => waiting.push(resolve))
    },
    complaint: (): string => {
      try {
        return cleanMessage(fs.readFileSync(complaints, 'utf8')) || 'conmon ended without a word'
      } catch {
        return 'conmon ended without a word'
      }
    },
    close: () => {
      sync.destroy()
      startPipe.destroy()
      attachPipe?.destroy()
    },
  }
}

function parse(line: string): SyncMessage {
  try {
    return JSON.parse(line) as SyncMessage
  } catch {
    return { data: -1, message: line }
  }
}

/** Tells the conmon of `bundle` the size of its terminal. Too early or too late is no error. */
export function conmonResize(bundle: string, rows: number, columns: number): void {
  control(bundle, `1 ${Math.min(rows, 1000)} ${Math.min(columns, 1000)}\n`)
}

/** Asks the conmon of `bundle` to open its log anew, after the old one was renamed. */
export function conmonReopenLog(bundle: string): boolean {
  return control(bundle, '2 0 0\n')
}

function control(bundle: string, message: string): boolean {
  let fd: number
  try {
    fd = fs.openSync(join(bundle, 'ctl'), fs.constants.O_WRONLY | fs.constants.O_NONBLOCK)
  } catch {
    return false // no reader: conmon is not there yet, or no more
  }
  try {
    fs.writeSync(fd, message)
    return true
  } catch {
    return false
  } finally {
    fs.closeSync(fd)
  }
}
