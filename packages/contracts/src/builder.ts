/** Building an image from a Dockerfile. @module */
import { defineService } from '@kernel/kernel'
import type { OnProgress, RegistryAuth } from './images.ts'
import type { Digest, ImageRunConfig } from './oci.ts'

export interface ImageBuildRequest {
  /** A folder that holds the context, or a tar of it (plain, gzip, bzip2, xz or zstd). */
  context: { dir: string } | { tar: AsyncIterable<Uint8Array> }
  /** Path in the context (default `Dockerfile`), or the text itself. */
  dockerfile?: { path: string } | { text: string }
  tags?: string[]
  buildArgs?: Record<string, string>
  /** Given to RUN steps only; kept in neither image nor history. A change of value rebuilds the steps. */
  secretEnv?: Record<string, string>
  labels?: Record<string, string>
  target?: string
  platform?: string
  noCache?: boolean
  pull?: boolean
  networkMode?: string
  /** Bytes; 0 or undefined: no limit. */
  memory?: number
  auths?: Record<string, RegistryAuth>
  signal?: AbortSignal
}

export interface ContainerCommit {
  /** `name:tag`; without it the image is known by its id only. */
  tag?: string
  comment?: string
  author?: string
  /** Holds the container still meanwhile; default true. */
  pause?: boolean
  /** Dockerfile instructions that touch no file (`ENV A=b`, `CMD ["x"]`), one a text. */
  changes?: string[]
  /** Fields that take the place of the container's own. */
  config?: ImageRunConfig
}

export interface ImageImport {
  tag?: string
  /** `os/architecture`; default: this machine's. */
  platform?: string
  message?: string
  /** As with a commit. */
  changes?: string[]
  signal?: AbortSignal
}

export interface ImageBuilder {
  /** A tar of a root file system (any compression) as an image of one layer. */
  importTar(
    source: AsyncIterable<Uint8Array> | { url: string },
    options: ImageImport,
  ): Promise<{ id: Digest }>
  /** A container's changes and configuration as an image. @throws not-found; invalid for a bad change or tag */
  commit(container: string, options: ContainerCommit): Promise<{ id: Digest }>
  /** Docker's classic builder's output goes to `onProgress` as `stream` messages. A failed build leaves nothing behind but its valid cache. */
  build(request: ImageBuildRequest, onProgress: OnProgress): Promise<{ id: Digest }>
  pruneCache(options?: { all?: boolean }): Promise<{ spaceReclaimed: number }>
}
export const ImageBuilder = defineService<ImageBuilder>('image-builder')

/** The base image that is put together from the machine itself, with no registry. */
export interface BaseImage {
  /** Builds where the inputs changed, else answers what is there. Tag: `kernel/base:latest`. */
  ensure(onProgress?: OnProgress): Promise<{ id: Digest; ref: string; built: boolean; size: number }>
}
export const BaseImage = defineService<BaseImage>('base-image')
