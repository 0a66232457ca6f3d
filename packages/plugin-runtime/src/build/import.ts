/** `docker import`: a tar of a root file system as an image. @module */
import { type Digest, failed, type ImageImport, invalid } from '@kernel/contracts'
import type { ImageStore } from '../parts.ts'
import { parsePlatform } from '../store/platform.ts'
import { configWith } from './commit.ts'

/** @throws invalid where it is no tar, or a change makes no sense; failed where the URL can't be read */
export async function importTar(
  images: ImageStore,
  host: { architecture: string; os: string },
  source: AsyncIterable<Uint8Array> | { url: string },
  options: ImageImport,
): Promise<{ id: Digest }> {
  const platform = options.platform ? parsePlatform(options.platform) : host
  const config = configWith({ ...platform, rootfs: { type: 'layers', diff_ids: [] } }, {}, options.changes)
  const tar = 'url' in source ? await openUrl(source.url, options.signal) : source
  const { diffId } = await images.addLayerFromTar(tar)
  const created = new Date().toISOString()
  return images.createImage(
    {
      ...platform,
      created,
      config,
      rootfs: { type: 'layers', diff_ids: [diffId] },
      history: [
        { created, comment: options.message || `Imported from ${'url' in source ? source.url : '-'}` },
      ],
    },
    options.tag ? { tags: [options.tag] } : {},
  )
}

async function openUrl(url: string, signal: AbortSignal | undefined): Promise<AsyncIterable<Uint8Array>> {
  const whole = /^https?:\/\//.test(url) ? url : `http://${url}`
  if (!URL.canParse(whole)) throw invalid(`The source is neither - nor a URL: ${url}`)
  const answer = await fetch(whole, { ...(signal && { signal }) }).catch((error: Error) => {
    const why = (error.cause as Error | undefined)?.message ?? error.message
    throw failed(`${whole} can’t be read: ${why}`, { cause: error })
  })
  if (!answer.ok || !answer.body) throw failed(`${whole} can’t be read: the server answered ${answer.status}`)
  return answer.body
}
