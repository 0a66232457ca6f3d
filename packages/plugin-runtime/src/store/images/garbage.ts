/** Removes layers and blobs that nothing refers to any more. @module */
import type { ImageParts } from './parts.ts'

/** Records first, then files: what a crash leaves has no record, and the next start sweeps it. @returns bytes */
export async function collectGarbage(parts: ImageParts): Promise<number> {
  const { layers, blobs } = parts.records.dropGarbage((id) => parts.holds.has(id))
  let bytes = await parts.layers.removeFiles(layers)
  for (const { digest, size } of blobs) {
    await parts.content.remove(digest)
    bytes += size
  }
  return bytes
}
