import { closeSync, openSync, readSync } from 'node:fs'
import { type Compression, compressionOf } from './decompress.ts'
import type { Source } from './jobs.ts'

/** How the file, or the part of one, is compressed. */
export function compressionOfSource({ file, offset = 0 }: Source): Compression {
  const fd = openSync(file, 'r')
  try {
    const head = Buffer.alloc(6)
    return compressionOf(head.subarray(0, readSync(fd, head, 0, head.length, offset)))
  } finally {
    closeSync(fd)
  }
}
