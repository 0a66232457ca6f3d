/** crun or runc on the command line (opencontainers/runtime-spec, runtime.md, "Operations"). @module */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { HostFacts } from '../parts.ts'

/** Longest message that is kept of a failing command. */
const MAX_MESSAGE = 16 << 10

export interface OciRuntime {
  kind: 'crun' | 'runc'
  /** The program, and the arguments before any operation. */
  command: [string, ...string[]]
  /** The same for `create`. */
  createCommand: [string, ...string[]]
  /** Where the runtime keeps its state. */
  root: string
  start(id: string): Promise<void>
  /** Removes state and cgroup; with force it kills what lives. A container that is unknown is fine. */
  delete(id: string): Promise<void>
  pause(id: string): Promise<void>
  resume(id: string): Promise<void>
  /** @param file holds the new resources as JSON */
  update(id: string, file: string): Promise<void>
}

/** An operation that the OCI runtime refused; `message` is its own, cleaned of time stamps and levels. */
export class OciError extends Error {
  override readonly name = 'OciError'
}

/**
 * @param root where the runtime keeps its state
 */
export function createOciRuntime(facts: NonNullable<HostFacts['runtime']>, root: string): OciRuntime {
  const command: OciRuntime['command'] = [facts.path, '--root', root]
  // To create, crun refuses a host where v1 controllers and a v2 tree are mounted side by side, so it is shown
  // only the former, in a mount namespace that lives as long as the one command. conmon stays outside, lest it
  // keep the mounts of others alive.
  const hide = 'umount /sys/fs/cgroup/unified; exec "$0" "$@"'
  const createCommand: OciRuntime['command'] = facts.unmountUnified
    ? ['/usr/bin/unshare', '-m', '/bin/sh', '-c', hide, ...command]
    : command

  async function run(operation: string, args: string[]): Promise<void> {
    const { code, message } = await execute([...command, operation, ...args])
    if (code !== 0) throw new OciError(message || `${facts.kind} ${operation} ended with ${code}`)
  }

  return {
    kind: facts.kind,
    command,
    createCommand,
    root,
    start: (id) => run('start', [id]),
    delete: (id) =>
      run('delete', ['--force', id]).catch((error: Error) => {
        if (existsSync(join(root, id))) throw error
      }),
    pause: (id) => run('pause', [id]),
    resume: (id) => run('resume', [id]),
    update: (id, file) => run('update', ['--resources', file, id]),
  }
}

function execute([program, ...args]: string[]): Promise<{ code: number; message: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program ?? '', args, {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let text = ''
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      if (text.length < MAX_MESSAGE) text += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 255, message: cleanMessage(text) }))
  })
}

/** The last line that says what went wrong, in the form that both runtimes share. */
export function cleanMessage(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => {
      const logged = /\bmsg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1]
      return (logged === undefined ? line : logged.replace(/\\(.)/g, '$1')).replace(
        /^\S+Z?: (?=\S)/,
        (stamp) => (/^\d{4}-/.test(stamp) ? '' : stamp),
      )
    })
    .filter((line) => line.trim() !== '')
  return (lines.at(-1) ?? '').trim()
}

/**
 * Says in Docker's words why a process could not be started; clients look for `executable file not found in
 * $PATH`, `no such file or directory` and `permission denied`.
 * @returns exit code 127 where there is no such program, 126 where it can't be executed, else 128
 */
export function explainStart(message: string, argv0: string): { exitCode: number; message: string } {
  const missing = /executable file [`"']?[^`"']*[`"']? ?not found in \$PATH|executable file not found/i.test(
    message,
  )
  if (missing) return { exitCode: 127, message: `exec: "${argv0}": executable file not found in $PATH` }
  if (/no such file or directory/i.test(message) && /exec|open executable|cannot find|stat /i.test(message))
    return { exitCode: 127, message: `exec: "${argv0}": stat ${argv0}: no such file or directory` }
  if (
    /permission denied|operation not permitted|is a directory|not a directory/i.test(message) &&
    /exec|executable/i.test(message)
  )
    return { exitCode: 126, message: `exec: "${argv0}": permission denied` }
  return { exitCode: 128, message }
}
