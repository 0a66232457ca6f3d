/**
 * Reads images from an archive: `docker save`'s form (manifest.json) or an OCI layout (index.json).
 * Source: moby `image/tarexport`; OCI image-spec, image-layout.md.
 * @module
 */
import { type Descriptor, type Digest, type ImageConfig, invalid, type OnProgress } from '@kernel/contracts'
import { digestOf } from '../content.ts'
import { compressionOfSource } from '../layers/compression.ts'
import type { Source } from '../layers/jobs.ts'
import { chooseManifest } from '../platform.ts'
import { progressLine } from '../progress.ts'
import { familiar, isDigest } from '../reference.ts'
import { ArchiveReader } from './archive-reader.ts'
import { storeImage, tagName } from './create.ts'
import { type ImageParts, shortId } from './parts.ts'

/** One image of an archive. */
interface Loadable {
  raw: Buffer
  tags: string[]
  layers: Array<{ source: Required<Source>; digest?: Digest }>
}

/**
 * Reads the whole stream into a file first, since its parts stand in any order.
 * @returns tags in familiar form, for images without tags their ids
 * @throws invalid where it is no archive, or something in it has another digest than it should
 */
export async function loadArchive(
  parts: ImageParts,
  tar: AsyncIterable<Uint8Array>,
  limit: number,
  onProgress: OnProgress,
): Promise<string[]> {
  const spooled = await parts.content.spoolUncompressed(tar, { limit })
  try {
    const archive = new ArchiveReader(spooled)
    const loadables = archive.has('manifest.json') ? await dockerImages(archive) : await ociImages(archive)
    const loaded: string[] = []
    for (const loadable of loadables) loaded.push(...(await loadImage(parts, loadable, onProgress)))
    return loaded
  } finally {
    await parts.content.discard(spooled)
  }
}

async function loadImage(parts: ImageParts, loadable: Loadable, onProgress: OnProgress): Promise<string[]> {
  const config = parseConfig(loadable.raw)
  const diffIds = config.rootfs.diff_ids
  if (diffIds.length !== loadable.layers.length)
    throw invalid(
      `invalid manifest, layers length mismatch: expected ${loadable.layers.length}, got ${diffIds.length}`,
    )
  const release = parts.holds.hold([...diffIds, ...loadable.layers.flatMap(({ digest }) => digest ?? [])])
  try {
    for (const [index, diffId] of diffIds.entries())
      await loadLayer(parts, loadable.layers[index]!, diffId, onProgress)
    const before = loadable.tags.map((tag) => parts.records.tag(tagName(tag)))
    const image = await storeImage(parts, loadable.raw, { tags: loadable.tags })
    for (const [index, tag] of loadable.tags.entries()) {
      const old = before[index]
      if (old && old !== image.id)
        onProgress({
          stream: `The image ${familiar(tagName(tag))} already exists, renaming the old one with ID ${old} to empty string\n`,
        })
    }
    const names = loadable.tags.map((tag) => familiar(tagName(tag)))
    for (const name of names) onProgress({ stream: `Loaded image: ${name}\n` })
    if (names.length === 0) onProgress({ stream: `Loaded image ID: ${image.id}\n` })
    parts.emit({ action: 'load', id: image.id, name: image.id })
    return names.length > 0 ? names : [image.id]
  } finally {
    release()
  }
}

/** A compressed layer keeps its blob, so that it can be given away again as it came. */
async function loadLayer(
  parts: ImageParts,
  { source, digest }: Loadable['layers'][number],
  diffId: Digest,
  onProgress: OnProgress,
): Promise<void> {
  if (parts.records.layer(diffId)) return
  const id = shortId(diffId)
  const report = (current: number, total: number) =>
    onProgress(progressLine('Loading layer', id, current, total))
  if (digest && digest !== diffId && compressionOfSource(source) !== 'none') {
    await parts.content.importRange(source, digest)
    await parts.layers.addBlob(digest, diffId, report)
  } else await parts.layers.addFile(source, diffId, report)
  onProgress(progressLine('Loading layer', id, source.size, source.size))
}

/** `manifest.json`: a list of images, each with the paths of its configuration and layers. */
async function dockerImages(archive: ArchiveReader): Promise<Loadable[]> {
  type Item = { Config?: unknown; RepoTags?: unknown; Layers?: unknown }
  const items = await archive.json<Item[]>('manifest.json')
  if (!Array.isArray(items)) throw invalid('manifest.json of the archive is not a list')
  return Promise.all(
    items.map(async ({ Config, RepoTags, Layers }) => {
      if (typeof Config !== 'string' || !isStrings(Layers))
        throw invalid('manifest.json lacks Config or Layers')
      const raw = await archive.bytes(Config)
      const named =
        /^blobs\/sha256\/([0-9a-f]{64})$/.exec(Config)?.[1] ?? /^([0-9a-f]{64})\.json$/.exec(Config)?.[1]
      if (named && digestOf(raw) !== `sha256:${named}`) throw invalid(`${Config} of the archive is damaged`)
      const layers = Layers.map((path) => {
        const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path)?.[1]
        return { source: archive.source(path), ...(hex && { digest: `sha256:${hex}` as Digest }) }
      })
      return { raw, layers, tags: isStrings(RepoTags) ? RepoTags : [] }
    }),
  )
}

interface Index {
  manifests?: Descriptor[]
  config?: Descriptor
  layers?: Descriptor[]
}

/** `index.json`: descriptors of manifests, or of further indexes with one manifest a platform. */
async function ociImages(archive: ArchiveReader): Promise<Loadable[]> {
  const index = await archive.json<Index>('index.json')
  if (!index) throw invalid('the archive has neither manifest.json nor index.json: it is no image archive')
  const found: Loadable[] = []
  for (const descriptor of index.manifests ?? []) {
    const manifest = await readManifest(archive, descriptor, 0)
    if (!manifest?.config || !manifest.layers) continue
    const annotations = descriptor.annotations ?? {}
    const name =
      annotations['io.containerd.image.name'] ?? fullRefName(annotations['org.opencontainers.image.ref.name'])
    found.push({
      raw: await verified(archive, manifest.config),
      layers: manifest.layers.map(({ digest }) => ({ source: archive.source(blobPath(digest)), digest })),
      tags: name === undefined ? [] : [name],
    })
  }
  if (found.length === 0) throw invalid('the archive has no image for this platform')
  return found
}

async function readManifest(
  archive: ArchiveReader,
  descriptor: Descriptor,
  depth: number,
): Promise<Index | undefined> {
  if (depth > 3) throw invalid('the indexes of the archive are nested too deep')
  const document = parseJson<Index>(await verified(archive, descriptor))
  if (!document.manifests) return document
  const chosen = chooseManifest(document.manifests)
  return chosen && readManifest(archive, chosen, depth + 1)
}

async function verified(archive: ArchiveReader, { digest }: Descriptor): Promise<Buffer> {
  const bytes = await archive.bytes(blobPath(digest))
  if (digestOf(bytes) !== digest) throw invalid(`${digest} of the archive is damaged`)
  return bytes
}

function blobPath(digest: string): string {
  if (!isDigest(digest)) throw invalid(`the archive names a digest that is none: ${JSON.stringify(digest)}`)
  return `blobs/sha256/${digest.slice('sha256:'.length)}`
}

/** Some tools write only the tag there, which names no image. */
function fullRefName(name: string | undefined): string | undefined {
  return name !== undefined && /[/:]/.test(name) ? name : undefined
}

/** A configuration from outside. @throws invalid where it is none */
export function parseConfig(raw: Uint8Array): ImageConfig {
  const config = parseJson<Partial<ImageConfig>>(raw)
  const diffIds = config.rootfs?.diff_ids
  if (!Array.isArray(diffIds) || !diffIds.every((id) => typeof id === 'string' && isDigest(id)))
    throw invalid('invalid image configuration: it has no list of layers')
  if (config.os !== undefined && config.os !== 'linux')
    throw invalid(`image operating system "${config.os}" cannot be used on this platform`)
  return config as ImageConfig
}

function parseJson<T>(bytes: Uint8Array): T {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString())
    if (typeof value === 'object' && value !== null) return value as T
  } catch {
    // told below
  }
  throw invalid('a document of the image is not JSON')
}

const isStrings = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')
