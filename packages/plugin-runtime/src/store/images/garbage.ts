/** Removes layers and blobs that nothing refers to any more. @module */
import type { ImageParts } from './parts.ts'

/**
 * Records first, then files: what a crash leaves has no record, and the next start sweeps it.
 * @param options.setAside blobs are kept as partial downloads, for the pull that was cut short
 * @returns bytes that are free now
 */
export async function collectGarbage(
  parts: ImageParts,
  options: { setAside?: boolean } = {},
): Promise<number> {
  const { layers, blobs } = parts.records.dropGarbage((id) => parts.holds.has(id))
  let bytes = await parts.layers.removeFiles(layers)
  for (const { digest, size } of blobs) {
    if (options.setAside) await parts.content.setAside(digest)
    else {
      await parts.content.remove(digest)
      bytes += size
    }
  }
  return bytes
}
