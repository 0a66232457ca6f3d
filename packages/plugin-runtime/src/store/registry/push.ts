/** Pushes images as dockerd does, line by line. Source: moby `distribution/push_v2.go`. @module */
import { createReadStream } from 'node:fs'
import zlib from 'node:zlib'
import { type Descriptor, type Digest, notFound, type OnProgress, type RegistryAuth } from '@kernel/contracts'
import { digestOf } from '../content.ts'
import { type ImageParts, shortId } from '../images/parts.ts'
import { compressionOfSource } from '../layers/compression.ts'
import { progressLine, statusLine } from '../progress.ts'
import type { StoredImage } from '../records.ts'
import { familiarName, fullName, parseReference, type Reference } from '../reference.ts'
import { RegistryClient, type RegistryOptions } from './client.ts'

const CONFIG = 'application/vnd.oci.image.config.v1+json'
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const LAYER = 'application/vnd.oci.image.layer.v1.tar'
/** Between two lines about the same upload, in milliseconds. */
const REPORT_INTERVAL = 100

export interface PushRequest {
  auth?: RegistryAuth
  signal?: AbortSignal
}

/** See {@link Images.push}. */
export async function pushImage(
  parts: ImageParts,
  options: RegistryOptions,
  text: string,
  request: PushRequest,
  onProgress: OnProgress,
): Promise<Array<{ tag: string; digest: Digest; size: number }>> {
  const ref = parseReference(text)
  const tags = tagsOf(parts, ref)
  const client = new RegistryClient(ref, request.auth, options, 'pull,push')
  onProgress({ status: `The push refers to repository [${ref.domain}/${ref.path}]` })
  const pushed: Array<{ tag: string; digest: Digest; size: number }> = []
  for (const { tag, image } of tags) {
    const release = parts.holds.hold(image.config.rootfs.diff_ids)
    try {
      const { digest, size } = await pushOne(parts, client, tag, image, request.signal, onProgress)
      parts.records.setRepoDigest(fullName({ domain: ref.domain, path: ref.path }), digest, image.id)
      parts.emit({ action: 'push', id: familiarName({ ...ref, tag }), name: familiarName({ ...ref, tag }) })
      onProgress({ status: `${tag}: digest: ${digest} size: ${size}` })
      onProgress({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } })
      pushed.push({ tag, digest, size })
    } finally {
      release()
    }
  }
  return pushed
}

/** The tag that is named, or all of the repository. @throws not-found with dockerd's texts */
function tagsOf({ records }: ImageParts, ref: Reference): Array<{ tag: string; image: StoredImage }> {
  const found = records.images().flatMap((image) =>
    records.tagsOf(image.id).flatMap((name) => {
      const { domain, path, tag } = parseReference(name)
      const isWanted = domain === ref.domain && path === ref.path && (!ref.tag || ref.tag === tag)
      return isWanted && tag !== undefined ? [{ tag, image }] : []
    }),
  )
  if (found.length > 0) return found
  const { tag, ...repository } = ref
  throw notFound(
    tag
      ? `An image does not exist locally with the tag: ${familiarName(ref)}`
      : `An image does not exist locally with the tag: ${familiarName(repository)}`,
  )
}

async function pushOne(
  parts: ImageParts,
  client: RegistryClient,
  tag: string,
  image: StoredImage,
  signal: AbortSignal | undefined,
  onProgress: OnProgress,
): Promise<{ digest: Digest; size: number }> {
  const diffIds = image.config.rootfs.diff_ids
  for (const diffId of diffIds) onProgress(statusLine('Preparing', shortId(diffId)))
  const layers: Descriptor[] = []
  for (const diffId of diffIds) layers.push(await pushLayer(parts, client, diffId, signal, onProgress))
  if (!(await client.hasBlob(image.id, signal))) await client.putBlob(image.id, () => once(image.raw), signal)
  const config: Descriptor = { mediaType: CONFIG, digest: image.id, size: image.raw.length }
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers }))
  await client.putManifest(tag, MANIFEST, manifest, signal)
  return { digest: digestOf(manifest), size: manifest.length }
}

/** A layer goes as it was pulled; one that was made here is compressed first. */
async function pushLayer(
  parts: ImageParts,
  client: RegistryClient,
  diffId: Digest,
  signal: AbortSignal | undefined,
  onProgress: OnProgress,
): Promise<Descriptor> {
  const blob = parts.records.layer(diffId)?.blob
  if (blob) {
    const size = parts.records.blobSize(blob) ?? 0
    return send(parts.content.path(blob), { digest: blob, size })
  }
  const tar = await parts.layers.openTar(diffId)
  const zipped = createReadStream(tar.file).pipe(zlib.createGzip())
  const spooled = await parts.content
    .spool(zipped, { limit: Number.MAX_SAFE_INTEGER })
    .finally(() => tar.discard())
  try {
    return await send(spooled.file, spooled)
  } finally {
    await parts.content.discard(spooled.file)
  }

  async function send(file: string, { digest, size }: { digest: Digest; size: number }): Promise<Descriptor> {
    const id = shortId(diffId)
    const compression = compressionOfSource({ file })
    const mediaType = compression === 'none' ? LAYER : `${LAYER}+${compression}`
    if (await client.hasBlob(digest, signal)) onProgress(statusLine('Layer already exists', id))
    else {
      const open = () => counted(file, (current) => onProgress(progressLine('Pushing', id, current, size)))
      await client.putBlob(digest, open, signal)
      onProgress(statusLine('Pushed', id))
    }
    return { mediaType, digest, size }
  }
}

async function* counted(file: string, report: (current: number) => void): AsyncGenerator<Uint8Array> {
  let [current, reported] = [0, 0]
  for await (const piece of createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    yield piece
    current += piece.length
    const now = performance.now()
    if (now - reported < REPORT_INTERVAL) continue
    reported = now
    report(current)
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
