/** A small disk of its own: ext4 in a file, so that it can be filled to the last byte. @module */
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from './host.ts'
import { must, run } from './run.ts'

export class SmallDisk {
  /** Where it is mounted. */
  readonly at: string
  readonly #image: string

  private constructor(dir: string) {
    this.at = join(dir, 'disk')
    this.#image = join(dir, 'disk.img')
  }

  /** @throws where this machine has no loop devices */
  static async make(dir: string, megabytes: number): Promise<SmallDisk> {
    const disk = new SmallDisk(dir)
    mkdirSync(disk.at)
    const fd = openSync(disk.#image, 'w')
    ftruncateSync(fd, megabytes << 20)
    closeSync(fd)
    // No blocks for root alone: full is full.
    await must(findProgram('mkfs.ext4') ?? 'mkfs.ext4', ['-q', '-F', '-m', '0', disk.#image])
    await must('mount', ['-o', 'loop', disk.#image, disk.at])
    return disk
  }

  /** Bytes that are left. */
  get left(): number {
    const { bfree, bsize } = statfsSync(this.at)
    return bfree * bsize
  }

  /** Leaves no byte, or so many. */
  fill(leave = 0): void {
    const fd = openSync(join(this.at, 'ballast'), 'a')
    try {
      for (let piece = Buffer.alloc(1 << 20); piece.length > 0; )
        try {
          if (this.left <= leave) return
          writeSync(fd, piece, 0, leave > 0 ? Math.min(piece.length, this.left - leave) : piece.length)
        } catch {
          piece = piece.subarray(0, piece.length >> 1)
        }
    } finally {
      closeSync(fd)
    }
  }

  /** Takes back what `fill` took. */
  free(): void {
    rmSync(join(this.at, 'ballast'), { force: true })
  }

  async close(): Promise<void> {
    await run('umount', [this.at])
    rmSync(this.#image, { force: true })
  }
}
