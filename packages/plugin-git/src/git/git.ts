/** Runs git, with settings that depend on nothing outside. @module */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { failed, unavailable } from '@kernel/contracts'
import type { Limits } from '../config.ts'

/** Most that a git command whose answer is read whole may print, in bytes. */
const longestAnswer = 16 * 1024 * 1024

export interface GitRun {
  /** Working directory. */
  cwd?: string
  env?: Record<string, string>
  signal?: AbortSignal
  /** Set by the shell for this process before it becomes git. */
  limits?: { umask?: string; fileBytes?: number }
}

export interface Git {
  /** Starts git with pipes or whatever `options` say. The environment is git's own plus `env`. */
  start(args: string[], env: Record<string, string>, options?: SpawnOptions): ChildProcess
  /** Runs git to its end; answers what it printed. @throws failed with what git said */
  run(args: string[], options?: GitRun): Promise<string>
}

/** A failure of a git command. `message` ends with what git said. */
export const gitFailed = (what: string, said: string) =>
  failed(`git ${what} failed: ${said.trim().slice(-2000) || 'it said nothing'}`)

/**
 * Settings for every git that is run; they override those of a repository, so an old one has the newest rules.
 * Objects are checked (no `.git` or `..` in trees, no harmful .gitmodules); old harmless slips in history are
 * let through, as public hosts do.
 */
const settings = (hooksDir: string, limits: Limits): Record<string, string> => ({
  'core.hooksPath': hooksDir,
  'core.protectHFS': 'true',
  'core.protectNTFS': 'true',
  // An accepted push survives a power cut: objects, and the refs that `committed` leaves out. Names are synced by
  // a hook, see reference-transaction.
  'core.fsync': 'committed,reference',
  'core.fsyncMethod': 'fsync',
  'core.bigFileThreshold': '32m',
  'safe.directory': '*',
  'init.defaultBranch': 'main',
  'advice.detachedHead': 'false',
  'gc.auto': '0',
  'gc.autoDetach': 'false',
  'receive.autogc': 'false',
  'receive.advertisePushOptions': 'true',
  'receive.fsckObjects': 'true',
  'receive.maxInputSize': String(limits.packBytes),
  'receive.unpackLimit': '1',
  'receive.denyDeletes': 'false',
  'receive.denyNonFastForwards': 'false',
  'receive.fsck.badTimezone': 'ignore',
  'receive.fsck.missingSpaceBeforeDate': 'ignore',
  'receive.fsck.zeroPaddedFilemode': 'ignore',
  'fetch.fsckObjects': 'true',
  'fetch.fsck.badTimezone': 'ignore',
  'fetch.fsck.missingSpaceBeforeDate': 'ignore',
  'fetch.fsck.zeroPaddedFilemode': 'ignore',
})

/** @param hooksDir where the hooks of every repository are */
export function createGit(hooksDir: string, limits: Limits): Git {
  const pairs = Object.entries(settings(hooksDir, limits))
  const base: Record<string, string> = {
    PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    LC_ALL: 'C.UTF-8',
    // Nothing of the machine's or the user's configuration: no filters, aliases or credentials of theirs.
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_COUNT: String(pairs.length),
  }
  pairs.forEach(([key, value], index) => {
    base[`GIT_CONFIG_KEY_${index}`] = key
    base[`GIT_CONFIG_VALUE_${index}`] = value
  })

  const start: Git['start'] = (args, env, options = {}) =>
    spawn('git', args, { ...options, env: { ...base, ...env } })

  async function run(
    command: string[],
    { cwd, env = {}, signal, limits = {} }: GitRun = {},
  ): Promise<string> {
    const options: SpawnOptions = { signal, stdio: ['ignore', 'pipe', 'pipe'] }
    // A folder that is missing then is git's own error, and not one of starting it.
    const args = cwd === undefined ? command : ['-C', cwd, ...command]
    const { umask, fileBytes } = limits
    const before = [umask && `umask ${umask} &&`, fileBytes && `ulimit -f ${Math.ceil(fileBytes / 512)} &&`]
    const script = [...before.filter(Boolean), 'exec git "$@"'].join(' ')
    const child = script.startsWith('exec')
      ? start(args, env, options)
      : spawn('/bin/sh', ['-c', script, 'git', ...args], { ...options, env: { ...base, ...env } })
    const output: Buffer[] = []
    let said = ''
    let size = 0
    child.stdout!.on('data', (data: Buffer) => {
      size += data.length
      if (size > longestAnswer) child.kill('SIGKILL')
      else output.push(data)
    })
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-8192)
    })
    const code = await exitOf(child)
    signal?.throwIfAborted()
    if (size > longestAnswer) throw gitFailed(command[0]!, `it printed more than ${longestAnswer} bytes`)
    if (code !== 0) throw gitFailed(command[0]!, said)
    return Buffer.concat(output).toString('utf8')
  }

  return { start, run }
}

/** The exit code once all output has been read; 128 + n where signal n ended it. @throws unavailable */
export function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT')
        reject(unavailable('git is not installed on this server.', { hint: 'apt install git', cause: error }))
      else if (error.name !== 'AbortError') reject(error)
    })
    child.once('close', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 137 : 143)))
  })
}
