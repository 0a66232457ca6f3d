/** Room on the disk that is kept for the program's own records. @module */
import fs from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'

const RESERVE_BYTES = 8 << 20
/** Given up at once: enough to open a database, or for some records. */
const SLICE_BYTES = 128 << 10
const PIECE = Buffer.alloc(1 << 20)
/** Milliseconds between two looks whether there is room for it again. */
const LOOK_EVERY = 60_000

/**
 * A file without meaning. On a full disk it is given up slice by slice, just where a record has to be written, so
 * that others who write have no time to take that room. Once there is room again it grows back.
 */
export interface SpaceReserve {
  /** Gives up a slice. @returns false where nothing is left of it */
  spend(): boolean
  /** Makes it, and looks from time to time whether it can grow back. Never throws. */
  keep(): void
  close(): void
}

/** @param file a path whose directory exists */
export function spaceReserve(file: string, bytes = RESERVE_BYTES): SpaceReserve {
  let timer: NodeJS.Timeout | undefined

  /** Not as the first to take the room that somebody has just made. */
  async function grow(): Promise<void> {
    const { bavail, bsize } = await statfs(dirname(file))
    const missing = bytes - (sizeOf(file) ?? 0)
    if (missing > 0 && bavail * bsize >= missing + 4 * bytes) fill(file, missing)
  }

  return {
    spend() {
      const size = sizeOf(file) ?? 0
      if (size === 0) return false
      fs.truncateSync(file, Math.max(0, size - SLICE_BYTES))
      return true
    },
    keep() {
      if (sizeOf(file) === undefined) fill(file, bytes)
      const look = () => void grow().catch(() => {})
      look()
      timer = setInterval(look, LOOK_EVERY).unref()
    },
    close() {
      clearInterval(timer)
    },
  }
}

let reserveInUse: SpaceReserve | undefined

/** The reserve that this program's databases and files may spend. */
export function useReserve(reserve: SpaceReserve | undefined): void {
  reserveInUse = reserve
}

/** Whether a write that found a full disk may be tried again. */
export function spendReserve(): boolean {
  return reserveInUse?.spend() === true
}

function sizeOf(file: string): number | undefined {
  return fs.statSync(file, { throwIfNoEntry: false })?.size
}

/** As much as there is room for. */
function fill(file: string, bytes: number): void {
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
