/** Room on the disk that is kept for the program's own start. @module */
import fs from 'node:fs'
import { statfs } from 'node:fs/promises'

const RESERVE_BYTES = 8 << 20
const PIECE = Buffer.alloc(1 << 20)
/** Milliseconds between two looks whether there is room for it again. */
const LOOK_EVERY = 60_000

/**
 * A file of no content, which is given up where the disk is so full that opening databases would fail, and made
 * again as soon as there is room.
 */
export interface SpaceReserve {
  /** For the start: gives it up where there is less room than it holds. Answers whether it did. */
  yield(): boolean
  /** Takes what there is, up to its size, and looks again from time to time. Never throws. */
  keep(): void
  close(): void
}

/** @param file a path whose directory exists */
export function spaceReserve(file: string, bytes = RESERVE_BYTES): SpaceReserve {
  let timer: NodeJS.Timeout | undefined

  async function grow(spare: number): Promise<void> {
    const missing = bytes - sizeOf(file)
    if (missing <= 0) return
    const { bfree, bsize } = await statfs(file.slice(0, file.lastIndexOf('/')) || '/')
    if (bfree * bsize < missing + spare) return
    fill(file, missing)
  }

  return {
    yield() {
      const { bfree, bsize } = fs.statfsSync(file.slice(0, file.lastIndexOf('/')) || '/')
      if (bfree * bsize >= bytes || !fs.existsSync(file)) return false
      fs.rmSync(file)
      return true
    },
    keep() {
      fill(file, bytes - sizeOf(file))
      // Not as the first to take the room that somebody has just made.
      timer = setInterval(() => void grow(4 * bytes).catch(() => {}), LOOK_EVERY).unref()
    },
    close() {
      clearInterval(timer)
    },
  }
}

function sizeOf(file: string): number {
  return fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

/** As much as there is room for. */
function fill(file: string, bytes: number): void {
  if (bytes <= 0) return
  try {
    const fd = fs.openSync(file, 'a', 0o600)
    try {
      for (let left = bytes; left > 0; ) left -= fs.writeSync(fd, PIECE, 0, Math.min(left, PIECE.length))
    } finally {
      fs.closeSync(fd)
    }
  } catch {
    // The disk is full; what was written counts.
  }
}
