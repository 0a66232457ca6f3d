/** Tells a tar by its contents, whatever it is called; ADD unpacks only those. @module */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { compressionOf, decompressed } from '../store/layers/decompress.ts'

/** True where the first block, after decompression, is a tar header with a right checksum. */
export async function isTarFile(path: string): Promise<boolean> {
  const handle = await open(path)
  const head = Buffer.alloc(512)
  try {
    await handle.read(head, 0, head.length, 0)
  } finally {
    await handle.close()
  }
  const compression = compressionOf(head)
  if (compression === 'none') return isHeader(head)
  const stream = decompressed(createReadStream(path), compression)
  let first: Buffer = Buffer.alloc(0)
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      first = Buffer.concat([first, piece])
      if (first.length >= 512) break
    }
  } catch {
    return false
  } finally {
    stream.destroy()
  }
  return isHeader(first)
}

/** POSIX ustar: the sum of all bytes, the checksum field counted as blanks. */
function isHeader(block: Buffer): boolean {
  if (block.length < 512) return false
  const stated = Number.parseInt(
    block
      .toString('latin1', 148, 156)
      .replace(/[\0 ]+$/, '')
      .trim(),
    8,
  )
  let sum = 0
  for (let at = 0; at < 512; at++) sum += at >= 148 && at < 156 ? 0x20 : block[at]!
  return sum > 8 * 0x20 && sum === stated
}
