/** RUN: a container over the image so far, whose changes become a layer. @module */
import { rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Containers, type Digest, failed, invalid, type OnProgress } from '@kernel/contracts'
import { engineFiles } from '../containers/engine-files.ts'
import type { LayerInfo, Snapshots } from '../parts.ts'
import type { Step } from './parse.ts'
import { stepLabel } from './unfinished.ts'

export interface RunOptions {
  image: Digest
  argv: string[]
  /** ARGs and secrets: beside the image's own environment. */
  env: Record<string, string>
  networkMode?: string
  memory?: number
  signal?: AbortSignal
}

/** The command line of a RUN: heredocs are the script, or stay for the shell to read. @throws invalid */
export function runCommand(step: Step, shell: string[]): string[] {
  const unsupported = step.flags.find(({ name }) => name !== 'network' && name !== 'security')
  if (unsupported)
    throw invalid(
      `dockerfile parse error on line ${step.line}: the --${unsupported.name} option requires BuildKit`,
      {
        hint: 'Leave it out: layers are cached by their inputs',
      },
    )
  if (step.json) return step.json
  const [only] = step.heredocs
  if (!only) return [...shell, step.args]
  if (step.heredocs.length === 1 && /^<<-?["']?\w+["']?$/.test(step.args)) {
    const interpreter = /^#!\s*(\S.*)\n/.exec(only.content)
    if (!interpreter) return [...shell, only.content]
    return [...shell, `${interpreter[1]} /dev/stdin <<'${only.name}'\n${only.content}${only.name}\n`]
  }
  const bodies = step.heredocs.map(({ name, content }) => `${content}${name}\n`).join('')
  return [...shell, `${step.args}\n${bodies}`]
}

/** @throws failed `The command '...' returned a non-zero code: 3` */
export async function runStep(
  parts: { containers: Containers; snapshots: Snapshots },
  options: RunOptions,
  onProgress: OnProgress,
): Promise<LayerInfo> {
  const { containers, snapshots } = parts
  const { id } = await containers.create(undefined, {
    Image: options.image,
    Entrypoint: [],
    Cmd: options.argv,
    Env: Object.entries(options.env).map(([name, value]) => `${name}=${value}`),
    Healthcheck: { Test: ['NONE'] },
    Labels: { [stepLabel]: 'true' },
    HostConfig: {
      NetworkMode: options.networkMode ?? 'default',
      LogConfig: { Type: 'none' },
      ...(options.memory ? { Memory: options.memory } : {}),
    },
  })
  const abort = () => void containers.kill(id).catch(() => {})
  try {
    onProgress({ stream: ` ---> Running in ${id.slice(0, 12)}\n` })
    const attached = await containers.attach(id, { stdout: true, stderr: true, stream: true })
    const exit = containers.wait(id, 'next-exit')
    options.signal?.addEventListener('abort', abort)
    await containers.start(id)
    const decoders = { 1: new TextDecoder(), 2: new TextDecoder() }
    for await (const { stream, data } of attached.output)
      onProgress({ stream: decoders[stream].decode(data, { stream: true }) })
    const { exitCode } = await exit
    if (options.signal?.aborted) throw failed('The build was cancelled.')
    if (exitCode !== 0)
      throw failed(`The command '${options.argv.join(' ')}' returned a non-zero code: ${exitCode}`)
    // Unmounted, its upper folder becomes the layer as it is, without a copy.
    await snapshots.unmount(id)
    await removeMountPoints(snapshots.upperDir(id))
    return await snapshots.commit(id)
  } finally {
    options.signal?.removeEventListener('abort', abort)
    await containers.remove(id, { force: true, volumes: true })
    onProgress({ stream: ` ---> Removed intermediate container ${id.slice(0, 12)}\n` })
  }
}

async function removeMountPoints(upper: string): Promise<void> {
  for (const path of engineFiles(upper)) await rm(join(upper, path), { recursive: true })
  // Only where nothing else is in it; an /etc of the image below stays, this is the upper folder.
  await rmdir(join(upper, 'etc')).catch(() => {})
}
