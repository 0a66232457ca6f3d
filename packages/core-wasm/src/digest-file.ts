/**
 * @module
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'

const CHUNK = 1 << 20

/** The digest (`sha256:...`) and size of a file. */
export function digestFile(path: string): { digest: string; size: number } {
  const file = openSync(path, 'r')
  try {
    const hash = createHash('sha256')
    const chunk = Buffer.allocUnsafe(CHUNK)
    let size = 0
    for (;;) {
      const n = readSync(file, chunk, 0, CHUNK, null)
      if (n === 0) return { digest: `sha256:${hash.digest('hex')}`, size }
      hash.update(chunk.subarray(0, n))
      size += n
    }
  } finally {
    closeSync(file)
  }
}
