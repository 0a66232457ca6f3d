/** The artifacts of the process driver: unpacked trees under `artifacts/<hex>/`. @module */
import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { cp, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Artifact, type BuildLine, type BuildRequest, failed, notSupported } from '@kernel/contracts'
import { ensureDir, removeTree } from '@kernel/state'
import type { ArtifactBuilder } from '../artifacts.ts'
import { createLineSink } from '../build-lines.ts'
import { treeDigest } from './tree-digest.ts'

export interface TreeArtifacts extends ArtifactBuilder {
  /** The folder of an artifact. */
  dir(ref: string): string
  /** Bytes of its files. */
  size(ref: string): Promise<number>
}

/** Folders of the PATH that build commands and workloads see: this Node's own first. */
export function hostPath(): string {
  return [dirname(process.execPath), process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin'].join(':')
}

/** Not the daemon's environment: its secrets are not the app's. */
export function hostEnvironment(home: string): Record<string, string> {
  const kept = [
    'LANG',
    'LC_ALL',
    'TZ',
    'http_proxy',
    'https_proxy',
    'no_proxy',
    'npm_config_registry',
    'NPM_CONFIG_REGISTRY',
  ]
  const own = Object.fromEntries(
    kept.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
  )
  return { ...own, PATH: hostPath(), HOME: home, TMPDIR: home }
}

export async function createTreeArtifacts({ dataDir }: { dataDir: string }): Promise<TreeArtifacts> {
  const root = join(dataDir, 'artifacts')
  const tmp = join(dataDir, 'tmp')
  await ensureDir(root)
  await ensureDir(tmp)
  const dir = (ref: string) => join(root, ref.replace(/^sha256:/, ''))
  const exists = (path: string) =>
    stat(path).then(
      () => true,
      () => false,
    )

  async function build(
    { dir: source, plan, secretEnv, signal }: BuildRequest,
    onLine: (line: BuildLine) => void,
  ): Promise<Artifact> {
    if (!plan.host)
      throw notSupported(
        plan.hostReason ?? `The builder ${plan.builder} needs containers, which this machine can not have.`,
        {
          hint: '`kernel doctor` says what is missing; builder:set APP selected node|static|procfile uses another builder',
        },
      )
    const work = await mkdtemp(join(tmp, 'process-build-'))
    try {
      const tree = join(work, 'app')
      const home = join(work, 'home')
      await ensureDir(home)
      await cp(source, tree, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE })
      for (const command of plan.host.commands) {
        onLine({ kind: 'step', text: command.at(-1) ?? '' })
        await runCommand(
          command,
          { cwd: tree, env: { ...hostEnvironment(home), ...plan.host.env, ...secretEnv }, signal },
          onLine,
        )
      }
      const { digest, size } = await treeDigest(tree)
      if (!(await exists(dir(digest)))) {
        await rename(tree, dir(digest))
      }
      return { ref: digest, size, config: { WorkingDir: '/', Env: [] } }
    } finally {
      await rm(work, { recursive: true, force: true })
    }
  }

  return {
    dir,
    size: async (ref) => (await treeDigest(dir(ref))).size,
    build,
    list: async () =>
      (await readdir(root)).filter((name) => /^[0-9a-f]{64}$/.test(name)).map((name) => `sha256:${name}`),
    has: (ref) => (/^sha256:[0-9a-f]{64}$/.test(ref) ? exists(dir(ref)) : Promise.resolve(false)),
    async remove(ref) {
      if (!/^sha256:[0-9a-f]{64}$/.test(ref) || !(await exists(dir(ref)))) return { spaceReclaimed: 0 }
      const { size } = await treeDigest(dir(ref))
      await removeTree(dir(ref))
      return { spaceReclaimed: size }
    },
  }
}

function runCommand(
  [program = '', ...args]: string[],
  options: { cwd: string; env: Record<string, string>; signal?: AbortSignal },
  onLine: (line: BuildLine) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    const abort = () => killGroup(child.pid)
    options.signal?.addEventListener('abort', abort)
    const sinks = [createLineSink(onLine), createLineSink(onLine)]
    child.stdout.setEncoding('utf8').on('data', (text: string) => sinks[0]!.write(text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => sinks[1]!.write(text))
    child.once('error', (error) =>
      reject(failed(`${program} could not be started: ${error.message}`, { cause: error })),
    )
    child.once('close', (code, signal) => {
      options.signal?.removeEventListener('abort', abort)
      for (const sink of sinks) sink.end()
      if (code === 0) resolve()
      else
        reject(
          failed(
            `The build command \`${[program, ...args].at(-1)}\` ended with ${signal ?? `exit code ${code}`}.`,
          ),
        )
    })
  })
}

/** SIGKILL to everything that a detached child started. */
function killGroup(pid: number | undefined): void {
  try {
    if (pid) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
