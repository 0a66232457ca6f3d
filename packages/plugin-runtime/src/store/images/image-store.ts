/** The image store: what the contract `Images` promises, and what builder and containers need besides. @module */
import {
  type Digest,
  type ImageConfig,
  type ImageDetail,
  invalid,
  type OnProgress,
  type RegistryAuth,
} from '@kernel/contracts'
import type { ImageRecord, ImageStore, LayerInfo } from '../../parts.ts'
import type { StoredImage } from '../records.ts'
import { familiar } from '../reference.ts'
import type { RegistryOptions } from '../registry/client.ts'
import { inspectDistribution } from '../registry/distribution.ts'
import { pullImage } from '../registry/pull.ts'
import { pushImage } from '../registry/push.ts'
import { canonicalJson, storeImage, tagName } from './create.ts'
import { imageHistory, listImages, summarize } from './describe.ts'
import { collectGarbage } from './garbage.ts'
import { loadArchive } from './load.ts'
import type { ImageParts } from './parts.ts'
import { pruneImages } from './prune.ts'
import { removeImage } from './remove.ts'
import { findImage } from './resolve.ts'
import { saveArchive } from './save.ts'

export interface ImageStoreOptions {
  registry: RegistryOptions
  /** Bytes of an archive or tar that is read in. */
  archiveLimit: number
}

/** The image store over its parts; see parts.ts of the runtime for what each method promises. */
export function createImageStore(parts: ImageParts, options: ImageStoreOptions): LocalImageStore {
  const { records, layers, content, holds } = parts

  async function pull(
    ref: string,
    request: { platform?: string; auth?: RegistryAuth; signal?: AbortSignal },
    onProgress: OnProgress,
  ) {
    return pullImage(parts, options.registry, ref, request, onProgress)
  }

  async function addLayerFromTar(
    tar: AsyncIterable<Uint8Array>,
    expected: { digest?: Digest; diffId?: Digest } = {},
  ): Promise<LayerInfo> {
    const spooled = await content.spool(tar, {
      limit: options.archiveLimit,
      ...(expected.digest && { expected: expected.digest }),
    })
    try {
      return info(await layers.addFile({ file: spooled.file }, expected.diffId))
    } finally {
      await content.discard(spooled.file)
    }
  }

  async function tag(source: string, target: string): Promise<void> {
    const { image } = findImage(records, source)
    const name = tagName(target)
    await layers.sync(image.config.rootfs.diff_ids)
    records.setTag(name, image.id)
    parts.emit({ action: 'tag', id: image.id, name: familiar(name) })
  }

  async function unkeep(keep: string, id?: Digest): Promise<number> {
    records.transaction(() => {
      for (const kept of id ? [id] : records.kept(keep)) {
        records.dropKeep(keep, kept)
        dropUnneeded(parts, kept)
      }
    })
    return collectGarbage(parts)
  }

  return {
    list: async (request) => listImages(parts, request),
    inspect: async (ref) => detail(parts, findImage(records, ref).image),
    history: async (ref) => imageHistory(records, findImage(records, ref).image),
    pull,
    push: (ref, request, onProgress) => pushImage(parts, options.registry, ref, request, onProgress),
    distribution: (ref, request) => inspectDistribution(options.registry, ref, request),
    tag,
    remove: (ref, request) => removeImage(parts, ref, request),
    load: (tar, onProgress) => loadArchive(parts, tar, options.archiveLimit, onProgress),
    save: (refs) => saveArchive(parts, refs),
    prune: (request) => pruneImages(parts, request?.filters),

    resolve: async (ref) => toRecord(findImage(records, ref).image),
    createImage: async (config, naming = {}) => {
      checkConfig(config)
      return toRecord(await storeImage(parts, Buffer.from(canonicalJson(config)), naming))
    },
    unkeep,
    kept: async (keep) => records.kept(keep),
    addLayerFromDir: async (dir, pack = {}) => info(await layers.addFolder(dir, pack)),
    addLayerFromTar,
    hasLayer: async (diffId) => records.layer(diffId) !== undefined,
    layerDir: async (diffId) => {
      const release = holds.hold([diffId])
      try {
        await layers.ensureUnpacked([diffId])
        return layers.fsDir(diffId)
      } finally {
        release()
      }
    },
    ensure: async (ref, onProgress) => {
      const here = findHere(parts, ref)
      if (here) return toRecord(here)
      const { id } = await pull(ref, {}, onProgress)
      return toRecord(records.image(id)!)
    },
    setUsers: (usersOf, isRunning) => {
      parts.users.of = usersOf
      if (isRunning) parts.users.isRunning = isRunning
    },
    collect: () => collectGarbage(parts),
  }
}

/** What the runtime's own interface does not name. */
export interface LocalImageStore extends ImageStore {
  /** `isRunning` tells running containers from stopped ones: the former's images can't even be forced away. */
  setUsers(usersOf: (id: Digest) => string[], isRunning?: (containerId: string) => boolean): void
  /** Removes what nothing refers to; answers the bytes. It happens by itself wherever something is removed. */
  collect(): Promise<number>
}

function findHere(parts: ImageParts, ref: string): StoredImage | undefined {
  try {
    return findImage(parts.records, ref).image
  } catch (error) {
    if ((error as { kind?: string }).kind === 'not-found') return undefined
    throw error
  }
}

/** An image that lost its last pin: no name, no other keep, no container, nothing built on it. */
function dropUnneeded(parts: ImageParts, id: Digest): void {
  const { records, users } = parts
  const image = records.image(id)
  if (!image || records.tagsOf(id).length > 0 || records.repoDigestsOf(id).length > 0) return
  if (records.keepsOf(id).length > 0 || users.of(id).length > 0 || records.children(id).length > 0) return
  records.dropImage(id)
}

function checkConfig(config: ImageConfig): void {
  if (config.rootfs?.type !== 'layers' || !Array.isArray(config.rootfs.diff_ids))
    throw invalid('the image configuration has no list of layers (rootfs.diff_ids)')
  if (!config.os || !config.architecture) throw invalid('the image configuration lacks os or architecture')
}

function detail(parts: ImageParts, image: StoredImage): ImageDetail {
  return { ...summarize(parts, image), config: image.config, diffIds: image.config.rootfs.diff_ids }
}

function toRecord(image: StoredImage): ImageRecord {
  const { id, config, size, parent } = image
  return { id, config, size, ...(parent && { parent }) }
}

function info({ diffId, size }: LayerInfo): LayerInfo {
  return { diffId, size }
}
