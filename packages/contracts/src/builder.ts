/** Building an image from a Dockerfile. @module */
import { defineService } from '@kernel/kernel'
import type { OnProgress, RegistryAuth } from './images.ts'
import type { Digest } from './oci.ts'

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

export interface ImageBuilder {
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
