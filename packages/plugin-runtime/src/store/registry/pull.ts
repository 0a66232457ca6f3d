/** Pulls an image as dockerd does, line by line. Source: moby `distribution/pull_v2.go`. @module */
import {
  type Descriptor,
  type Digest,
  failed,
  type ImageConfig,
  invalid,
  notFound,
  notSupported,
  type OnProgress,
  type RegistryAuth,
} from '@kernel/contracts'
import { storeImage } from '../images/create.ts'
import { collectGarbage } from '../images/garbage.ts'
import { parseConfig } from '../images/load.ts'
import { type ImageParts, shortId } from '../images/parts.ts'
import { chooseManifest, formatPlatform, hostPlatform, parsePlatform } from '../platform.ts'
import { progressLine, statusLine } from '../progress.ts'
import { familiarName, fullName, isDigest, parseReference, withDefaultTag } from '../reference.ts'
import { type RawManifest, RegistryClient, type RegistryOptions } from './client.ts'
import { downloadBlob } from './download.ts'

/** Blobs that are fetched side by side. */
const CONCURRENCY = 3
/** Between two lines about the same download, in milliseconds. */
const REPORT_INTERVAL = 100
const MOST_LAYERS = 500
export const LARGEST_CONFIG = 8 << 20

export interface PullRequest {
  platform?: string
  auth?: RegistryAuth
  signal?: AbortSignal
}

interface ImageManifest {
  config: Descriptor
  layers: Descriptor[]
}

/** See {@link Images.pull}. */
export async function pullImage(
  parts: ImageParts,
  options: RegistryOptions,
  text: string,
  request: PullRequest,
  onProgress: OnProgress,
): Promise<{ id: Digest; digest: Digest; updated: boolean }> {
  const ref = withDefaultTag(parseReference(text))
  const shown = familiarName(ref)
  const client = new RegistryClient(ref, request.auth, options)
  const top = await client.manifest(ref.digest ?? ref.tag ?? 'latest', shown, request.signal)
  onProgress({ status: `Pulling from ${ref.path}`, id: ref.digest ?? ref.tag })
  const manifest = await choose(client, top, shown, request)
  const repository = fullName({ domain: ref.domain, path: ref.path })
  const tag = ref.digest ? undefined : fullName(ref)
  const before = tag ? parts.records.tag(tag) : parts.records.repoDigest(repository, top.digest)

  const blobs = [manifest.config.digest, ...manifest.layers.map(({ digest }) => digest)]
  const release = parts.holds.hold(blobs)
  let done = false
  try {
    const raw =
      parts.records.image(manifest.config.digest)?.raw ??
      (await fetchConfig(parts, client, manifest, request))
    const config = parseConfig(raw)
    if (config.rootfs.diff_ids.length !== manifest.layers.length)
      throw failed(
        `the image has ${manifest.layers.length} layers, but its configuration names ${config.rootfs.diff_ids.length}`,
      )
    const image = await withLayers(parts, client, manifest, config, request.signal, onProgress, () =>
      storeImage(parts, raw, {
        ...(tag && { tags: [tag] }),
        repoDigest: { repository, digest: top.digest },
      }),
    )
    const updated = before !== image.id
    onProgress({ status: `Digest: ${top.digest}` })
    onProgress({
      status: updated
        ? `Status: Downloaded newer image for ${shown}`
        : `Status: Image is up to date for ${shown}`,
    })
    done = true
    parts.emit({ action: 'pull', id: shown, name: shown })
    return { id: image.id, digest: top.digest, updated }
  } finally {
    release()
    // After a failure the next pull takes up what has arrived.
    await collectGarbage(parts, { setAside: !done })
  }
}

/** From an index the manifest for the platform. */
async function choose(
  client: RegistryClient,
  top: RawManifest,
  shown: string,
  request: PullRequest,
): Promise<ImageManifest> {
  const wanted = request.platform ? parsePlatform(request.platform) : hostPlatform()
  let at = top
  for (let depth = 0; depth < 3; depth++) {
    const document = parseManifest(at)
    if (!('manifests' in document)) return document
    const chosen = chooseManifest(document.manifests, wanted)
    if (!chosen)
      throw notFound(
        `no matching manifest for ${formatPlatform(wanted)} in the manifest list entries: ${shown}`,
      )
    at = await client.manifest(chosen.digest, shown, request.signal)
  }
  throw invalid('the manifest lists of the image are nested too deep')
}

export function parseManifest({
  bytes,
  mediaType,
}: RawManifest): ImageManifest | { manifests: Descriptor[] } {
  let document: Partial<ImageManifest> & {
    manifests?: Descriptor[]
    schemaVersion?: number
    mediaType?: string
  }
  try {
    document = JSON.parse(bytes.toString())
  } catch (cause) {
    throw failed('the registry sent a manifest that is not JSON', { cause })
  }
  if (document.schemaVersion === 1)
    throw notSupported('the image is in the format of 2014 (schema 1), which registries have given up', {
      hint: 'push it again with a newer docker',
    })
  if (Array.isArray(document.manifests)) return { manifests: document.manifests.filter(isDescriptor) }
  const { config, layers } = document
  if (!isDescriptor(config) || !Array.isArray(layers) || !layers.every(isDescriptor))
    throw failed(`the registry sent a manifest of no known form (${mediaType || 'no type'})`)
  if (layers.length > MOST_LAYERS) throw invalid(`the image has over ${MOST_LAYERS} layers`)
  return { config, layers }
}

function isDescriptor(value: unknown): value is Descriptor {
  const { digest, size } = (value ?? {}) as Partial<Descriptor>
  return typeof digest === 'string' && isDigest(digest) && Number.isSafeInteger(size) && size! >= 0
}

async function fetchConfig(
  parts: ImageParts,
  client: RegistryClient,
  { config }: ImageManifest,
  { signal }: PullRequest,
): Promise<Buffer> {
  if (config.size > LARGEST_CONFIG)
    throw invalid(`the configuration of the image has over ${LARGEST_CONFIG} bytes`)
  await downloadBlob(parts.content, client, config, () => {}, signal)
  return parts.content.read(config.digest)
}

/** Downloads side by side, unpacks in order, and runs `then` while the layers can't be collected. */
async function withLayers<T>(
  parts: ImageParts,
  client: RegistryClient,
  manifest: ImageManifest,
  config: ImageConfig,
  outer: AbortSignal | undefined,
  onProgress: OnProgress,
  then: () => Promise<T>,
): Promise<T> {
  const diffIds = config.rootfs.diff_ids
  const release = parts.holds.hold(diffIds)
  const stop = new AbortController()
  const signal = outer ? AbortSignal.any([outer, stop.signal]) : stop.signal
  try {
    const missing = new Set(diffIds.filter((diffId) => !parts.records.layer(diffId)))
    for (const [index, { digest }] of manifest.layers.entries())
      onProgress(
        statusLine(missing.has(diffIds[index]!) ? 'Pulling fs layer' : 'Already exists', shortId(digest)),
      )
    const slots = new Slots(CONCURRENCY)
    const downloads = new Map<Digest, Promise<void>>()
    for (const [index, layer] of manifest.layers.entries()) {
      if (!missing.has(diffIds[index]!) || downloads.has(layer.digest)) continue
      if (downloads.size >= CONCURRENCY) onProgress(statusLine('Waiting', shortId(layer.digest)))
      const download = slots.run(() => downloadLayer(parts, client, layer, signal, onProgress))
      download.catch(() => {})
      downloads.set(layer.digest, download)
    }
    for (const [index, layer] of manifest.layers.entries()) {
      const diffId = diffIds[index]!
      if (!missing.has(diffId)) continue
      await downloads.get(layer.digest)
      signal.throwIfAborted()
      await extractLayer(parts, layer, diffId, onProgress)
    }
    return await then()
  } catch (error) {
    stop.abort()
    throw error
  } finally {
    release()
  }
}

async function downloadLayer(
  parts: ImageParts,
  client: RegistryClient,
  layer: Descriptor,
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<void> {
  signal.throwIfAborted()
  const id = shortId(layer.digest)
  const report = throttled((current) => onProgress(progressLine('Downloading', id, current, layer.size)))
  await parts.content.exclusively(layer.digest, () =>
    downloadBlob(parts.content, client, layer, report, signal),
  )
  onProgress(statusLine('Verifying Checksum', id))
  onProgress(statusLine('Download complete', id))
}

async function extractLayer(
  parts: ImageParts,
  layer: Descriptor,
  diffId: Digest,
  onProgress: OnProgress,
): Promise<void> {
  const id = shortId(layer.digest)
  const report = (current: number) => onProgress(progressLine('Extracting', id, current, layer.size))
  report(0)
  await parts.layers.addBlob(layer.digest, diffId, report)
  report(layer.size)
  onProgress(statusLine('Pull complete', id))
}

function throttled(report: (current: number) => void): (current: number) => void {
  let last = 0
  return (current) => {
    const now = performance.now()
    if (now - last < REPORT_INTERVAL) return
    last = now
    report(current)
  }
}

/** At most so many at once, the others in the order they came. */
class Slots {
  private free: number
  private readonly waiting: Array<() => void> = []

  constructor(count: number) {
    this.free = count
  }

  async run<T>(fn: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--
    else await new Promise<void>((resolve) => this.waiting.push(resolve))
    try {
      return await fn()
    } finally {
      const next = this.waiting.shift()
      if (next) next()
      else this.free++
    }
  }
}
