/**
 * Writes images as one archive that is both `docker save`'s form (manifest.json) and an OCI layout
 * (index.json). Layers are written uncompressed, so that their digests are the images' own.
 * Source: OCI image-spec, image-layout.md; moby `image/tarexport/save.go`.
 * @module
 */
import { createReadStream } from 'node:fs'
import { type Descriptor, type Digest, notFound } from '@kernel/contracts'
import { TAR_END, tarPadding, writeTarHeader } from '@kernel/core-wasm'
import { digestOf } from '../content.ts'
import type { StoredImage } from '../records.ts'
import { familiar, parseReference } from '../reference.ts'
import type { ImageParts } from './parts.ts'
import { findImage } from './resolve.ts'

const CONFIG = 'application/vnd.oci.image.config.v1+json'
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const LAYER = 'application/vnd.oci.image.layer.v1.tar'
const INDEX = 'application/vnd.oci.image.index.v1+json'

interface Saved {
  image: StoredImage
  tags: Set<string>
}

/** The archive's bytes; the images can't be collected while it is read. @throws not-found */
export async function saveArchive(parts: ImageParts, refs: string[]): Promise<AsyncIterable<Uint8Array>> {
  const saved = new Map<Digest, Saved>()
  for (const ref of refs)
    for (const { image, tags } of select(parts, ref)) {
      const entry = saved.get(image.id) ?? { image, tags: new Set() }
      for (const tag of tags) entry.tags.add(tag)
      saved.set(image.id, entry)
    }
  const images = [...saved.values()]
  for (const { image } of images) parts.emit({ action: 'save', id: image.id, name: image.id })
  return archive(parts, images)
}

/** A name without tag means all its tags; an id means no tag. */
function select(parts: ImageParts, ref: string): Array<{ image: StoredImage; tags: string[] }> {
  const { records } = parts
  const bare = /^[0-9a-f]{64}$|@|^sha256:/.test(ref) ? undefined : parseReference(ref)
  if (bare && bare.tag === undefined) {
    const all = records.images().flatMap((image) => {
      const tags = records.tagsOf(image.id).filter((tag) => {
        const { domain, path } = parseReference(tag)
        return domain === bare.domain && path === bare.path
      })
      return tags.length > 0 ? [{ image, tags }] : []
    })
    if (all.length > 0) return all
  }
  const { image, by } = findImage(records, ref)
  return [{ image, tags: by?.kind === 'tag' ? [by.name] : [] }]
}

async function* archive(parts: ImageParts, images: Saved[]): AsyncGenerator<Uint8Array> {
  const diffIds = new Set(images.flatMap(({ image }) => image.config.rootfs.diff_ids))
  const release = parts.holds.hold(diffIds)
  const manifests: Descriptor[] = []
  const items: unknown[] = []
  try {
    yield writeTarHeader({ path: 'blobs', type: '5' })
    yield writeTarHeader({ path: 'blobs/sha256', type: '5' })
    const written = new Set<Digest>()
    for (const { image, tags } of images) {
      const layers = image.config.rootfs.diff_ids.map((digest): Descriptor => {
        const layer = parts.records.layer(digest)
        if (!layer) throw notFound(`the image ${image.id} lacks its layer ${digest}`)
        return { mediaType: LAYER, digest, size: layer.tarSize }
      })
      for (const { digest } of layers) {
        if (written.has(digest)) continue
        written.add(digest)
        yield* layerBlob(parts, digest)
      }
      const config = { mediaType: CONFIG, digest: image.id, size: image.raw.length }
      const manifest = document({ schemaVersion: 2, mediaType: MANIFEST, config, layers })
      const digest = digestOf(manifest)
      yield* blob(image.id, image.raw)
      yield* blob(digest, manifest)
      manifests.push(...describe({ mediaType: MANIFEST, digest, size: manifest.length }, [...tags]))
      items.push({
        Config: blobPath(image.id),
        RepoTags: tags.size > 0 ? [...tags].map(familiar) : null,
        Layers: layers.map((layer) => blobPath(layer.digest)),
        LayerSources: Object.fromEntries(layers.map((layer) => [layer.digest, layer])),
      })
    }
    yield* file('index.json', document({ schemaVersion: 2, mediaType: INDEX, manifests }))
    yield* file('manifest.json', document(items))
    yield* file('oci-layout', document({ imageLayoutVersion: '1.0.0' }))
    yield* file('repositories', document(repositories(images)))
    yield TAR_END
  } finally {
    release()
  }
}

/** One descriptor a name, as readers of the layout expect. */
function describe(manifest: Descriptor, tags: string[]): Descriptor[] {
  if (tags.length === 0) return [manifest]
  return tags.map((name) => ({
    ...manifest,
    annotations: {
      'io.containerd.image.name': name,
      'org.opencontainers.image.ref.name': parseReference(name).tag ?? '',
    },
  }))
}

/** The oldest form, still asked for by some tools: name and tag to the topmost layer. */
function repositories(images: Saved[]): Record<string, Record<string, string>> {
  const found: Record<string, Record<string, string>> = {}
  for (const { image, tags } of images)
    for (const name of tags) {
      const { tag, ...rest } = parseReference(name)
      const repository = familiar(`${rest.domain}/${rest.path}`)
      const top = image.config.rootfs.diff_ids.at(-1)?.slice('sha256:'.length)
      if (tag !== undefined && top) found[repository] = { ...found[repository], [tag]: top }
    }
  return found
}

async function* layerBlob(parts: ImageParts, diffId: Digest): AsyncGenerator<Uint8Array> {
  // The tar has to be whole and verified before its first byte goes out.
  const tar = await parts.layers.openTar(diffId)
  try {
    yield writeTarHeader({ path: blobPath(diffId), size: tar.size })
    yield* createReadStream(tar.file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>
    yield padding(tar.size)
  } finally {
    await tar.discard()
  }
}

const blob = (digest: Digest, bytes: Uint8Array) => file(blobPath(digest), bytes)

function* file(path: string, bytes: Uint8Array): Generator<Uint8Array> {
  yield writeTarHeader({ path, size: bytes.length })
  yield bytes
  yield padding(bytes.length)
}

const padding = (size: number) => Buffer.alloc(tarPadding(size))
const document = (value: unknown) => Buffer.from(JSON.stringify(value))
const blobPath = (digest: Digest) => `blobs/sha256/${digest.slice('sha256:'.length)}`
