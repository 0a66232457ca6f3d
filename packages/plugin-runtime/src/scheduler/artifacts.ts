/** The artifacts of the container driver: images, kept until the last release lets go of them. @module */

import { closeSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Artifact,
  type BaseImage,
  type BuildLine,
  type BuildRequest,
  type Digest,
  failed,
} from '@kernel/contracts'
import { openInRoot } from '@kernel/sys'
import { baseImageRef } from '../base-image/index.ts'
import type { ImageStore, ScopedImageBuilder } from '../parts.ts'
import { createLineSink } from './build-lines.ts'

/** By this name the store knows why an image must stay. */
const keeper = 'artifact'

export interface ArtifactBuilder {
  build(request: BuildRequest, onLine: (line: BuildLine) => void): Promise<Artifact>
  has(ref: string): Promise<boolean>
  list(): Promise<string[]>
  /** Bytes reclaimed; 0 where it was gone already. */
  remove(ref: string): Promise<{ spaceReclaimed: number }>
}

export interface ArtifactOptions {
  images: ImageStore
  builder: ScopedImageBuilder
  baseImage: BaseImage
}

export function createArtifacts({ images, builder, baseImage }: ArtifactOptions): ArtifactBuilder {
  const has = async (ref: string) => (await images.kept(keeper)).includes(ref as Digest)

  return {
    has,
    list: () => images.kept(keeper),

    async build({ app, buildId, dir, plan, secretEnv, noCache, signal }, onLine) {
      const sink = createLineSink(onLine)
      const onProgress = ({ stream, status }: { stream?: string; status?: string }) =>
        sink.write(stream ?? (status ? `${status}\n` : ''))
      if (plan.dockerignore !== undefined) await writeFile(join(dir, '.dockerignore'), plan.dockerignore)
      if (mentionsBase(dockerfileText(dir, plan.dockerfile))) await baseImage.ensure(onProgress)
      try {
        const { id } = await builder.build(
          {
            context: { dir },
            dockerfile: plan.dockerfile,
            buildArgs: plan.buildArgs,
            target: plan.target,
            secretEnv,
            noCache,
            signal,
            // Not the label of workloads: a plain `docker run` of the image is none.
            labels: { 'kernel.built-for': app },
            cacheScope: { keeper, id: buildId },
          },
          onProgress,
        )
        const image = await images.resolve(id)
        return { ref: id, size: image.size, config: image.config.config ?? {} }
      } finally {
        sink.end()
      }
    },

    async remove(ref) {
      if (!(await has(ref))) return { spaceReclaimed: 0 }
      const cache = await builder.releaseScope(ref as Digest)
      return { spaceReclaimed: cache + (await images.unkeep(keeper, ref as Digest)) }
    },
  }
}

const mentionsBase = (text: string) =>
  text
    .split('\n')
    .some((line) => new RegExp(`^\\s*FROM\\s+(--\\S+\\s+)*${baseImageRef.split(':')[0]}\\b`, 'i').test(line))

/** The Dockerfile's text; a path never leaves the source. */
function dockerfileText(dir: string, dockerfile: { path: string } | { text: string }): string {
  if ('text' in dockerfile) return dockerfile.text
  let fd: number
  try {
    fd = openInRoot(dir, dockerfile.path)
  } catch (error) {
    throw failed(`The Dockerfile ${dockerfile.path} can not be read: ${(error as Error).message}`, {
      cause: error,
    })
  }
  try {
    return readFileSync(fd, 'utf8')
  } finally {
    closeSync(fd)
  }
}
