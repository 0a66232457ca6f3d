/** Images: what is stored, pulled, tagged and removed. @module */
import { defineService } from '@kernel/kernel'
import type { Descriptor, Digest, ImageConfig, ImageHistory, Platform } from './oci.ts'

export interface ImageSummary {
  /** Digest of the image's configuration, as Docker counts ids. */
  id: Digest
  /** `name:tag`, in Docker's familiar form (`busybox:latest`). */
  repoTags: string[]
  /** `name@sha256:...` of the manifest. */
  repoDigests: string[]
  /** RFC 3339 with nanoseconds. */
  created: string
  /** Bytes of all layers, unpacked. */
  size: number
  labels: Record<string, string>
  parentId: string
  /** How many containers use it. */
  containers: number
}

export interface ImageDetail extends ImageSummary {
  config: ImageConfig
  /** The uncompressed layers, lowest first. */
  diffIds: Digest[]
}

/** One line of progress, in the form that Docker's JSON streams have (wire.md, 15). */
export interface ProgressMessage {
  status?: string
  id?: string
  progressDetail?: { current?: number; total?: number }
  progress?: string
  stream?: string
  aux?: unknown
}
export type OnProgress = (message: ProgressMessage) => void

export interface RegistryAuth {
  username?: string
  password?: string
  identityToken?: string
  registryToken?: string
  serverAddress?: string
}

export interface Images {
  /** `filters`: Docker's names (`reference`, `dangling`, `label`, `before`, `since`); an unknown one is invalid. */
  list(options?: { all?: boolean; filters?: Record<string, string[]> }): Promise<ImageSummary[]>
  /** By tag, digest, id or unique prefix of the id. @throws not-found */
  inspect(ref: string): Promise<ImageDetail>
  history(ref: string): Promise<Array<ImageHistory & { id: string; size: number; tags: string[] }>>
  /** Fetches what is missing; every byte is verified before it counts. @throws not-found, unauthorized, failed */
  pull(
    ref: string,
    options: { platform?: string; auth?: RegistryAuth; signal?: AbortSignal },
    onProgress: OnProgress,
  ): Promise<{ id: Digest; digest: Digest; updated: boolean }>
  /** Sends the tag, or without one all tags of the name, to its registry. @throws not-found, unauthorized, failed */
  push(
    ref: string,
    options: { auth?: RegistryAuth; signal?: AbortSignal },
    onProgress: OnProgress,
  ): Promise<Array<{ tag: string; digest: Digest; size: number }>>
  /** What the registry has under that name, without fetching it. @throws not-found, unauthorized, failed */
  distribution(
    ref: string,
    options: { auth?: RegistryAuth; signal?: AbortSignal },
  ): Promise<{ descriptor: Descriptor; platforms: Platform[] }>
  tag(source: string, target: string): Promise<void>
  /** A tag only untags while others exist. @throws conflict while a container uses it */
  remove(
    ref: string,
    options?: { force?: boolean; noPrune?: boolean },
  ): Promise<Array<{ untagged: string } | { deleted: string }>>
  /** Reads a `docker save` or OCI layout archive; answers the references loaded. */
  load(tar: AsyncIterable<Uint8Array>, onProgress: OnProgress): Promise<string[]>
  /** Writes an archive that is both `docker save`'s form and an OCI layout. */
  save(refs: string[]): Promise<AsyncIterable<Uint8Array>>
  prune(options?: {
    filters?: Record<string, string[]>
  }): Promise<{ deleted: string[]; spaceReclaimed: number }>
}
export const Images = defineService<Images>('images')
