/** The base image that is put together from the machine itself, with no registry. @module */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { BaseImage, Digest, OnProgress } from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { readJson, writeJson } from '@kernel/state'
import type { ImageStore } from '../parts.ts'
import { baseImageContents, type Part, recipe } from './contents.ts'
import { layDown } from './lay-down.ts'

export { staticServerFile } from './contents.ts'
/** Under this name builders find it. */
export const baseImageRef = 'kernel/base:latest'

/** What the last build was made of; a fingerprint of sizes and times spares reading 150 MB at every start. */
interface LastBuild {
  fingerprint: string
  id: Digest
}

export interface BaseImageOptions {
  dataDir: string
  images: ImageStore
  log: Logger
}

/** Made once a data dir; builds at the first `ensure` and whenever this machine's inputs changed. */
export function createBaseImage({ dataDir, images, log }: BaseImageOptions): BaseImage {
  const record = join(dataDir, 'base-image.json')
  let running: ReturnType<BaseImage['ensure']> | undefined

  async function ensure(onProgress: OnProgress = () => {}) {
    const parts = await baseImageContents()
    const fingerprint = await fingerprintOf(parts)
    const last = await readJson<LastBuild>(record)
    const known = await images.resolve(baseImageRef).catch(() => undefined)
    if (known && last?.fingerprint === fingerprint && last.id === known.id)
      return { id: known.id, ref: baseImageRef, built: false, size: known.size }
    const begun = performance.now()
    onProgress({
      stream: `Putting ${baseImageRef} together: Node ${process.versions.node}, npm, a shell, certificates\n`,
    })
    const image = await build(parts)
    await writeJson(record, { fingerprint, id: image.id } satisfies LastBuild)
    log.info('Base image built', { id: image.id, ms: Math.round(performance.now() - begun) })
    onProgress({ stream: `${baseImageRef} is ${image.id}\n` })
    return { id: image.id, ref: baseImageRef, built: true, size: image.size }
  }

  async function build(parts: Part[]) {
    const tmp = join(dataDir, 'tmp')
    await mkdir(tmp, { recursive: true, mode: 0o700 })
    const root = await mkdtemp(join(tmp, 'base-image-'))
    try {
      await layDown(parts, root)
      const layer = await images.addLayerFromDir(root, { mtime: 0 })
      return await images.createImage(
        {
          architecture: { x64: 'amd64', arm64: 'arm64' }[process.arch as string] ?? process.arch,
          os: 'linux',
          created: '1970-01-01T00:00:00Z',
          config: {
            Env: [
              'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
              `NODE_VERSION=${process.versions.node}`,
            ],
            Cmd: ['node'],
            WorkingDir: '/',
            Labels: { 'kernel.base': String(recipe) },
          },
          rootfs: { type: 'layers', diff_ids: [layer.diffId] },
          history: [{ created: '1970-01-01T00:00:00Z', created_by: 'kernel base:build' }],
        },
        { tags: [baseImageRef] },
      )
    } finally {
      await rm(root, { recursive: true, force: true })
    }
  }

  return {
    /** Callers at the same time share one build. */
    ensure(onProgress) {
      running ??= ensure(onProgress).finally(() => {
        running = undefined
      })
      return running
    },
  }
}

/** Over names, sizes and times of the inputs, and the texts. */
async function fingerprintOf(parts: Part[]): Promise<string> {
  const hash = createHash('sha256').update(`recipe ${recipe}\n`)
  for (const part of parts) {
    hash.update(JSON.stringify(part))
    if (part.kind === 'file' || part.kind === 'tree') {
      const { size, mtimeMs } = await stat(part.source)
      hash.update(` ${size} ${mtimeMs}\n`)
    }
  }
  return hash.digest('hex')
}
