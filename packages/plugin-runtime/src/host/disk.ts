import fs from 'node:fs'
import path from 'node:path'
import { type Check, fail, ok, warn } from './check.ts'

const GIB = 2 ** 30

/** Space and inodes where the data dir is, or will be. */
export function diskChecks(dataDir: string): Check[] {
  let at = path.resolve(dataDir)
  while (!fs.existsSync(at)) at = path.dirname(at)
  const { bsize, blocks, bavail, files, ffree } = fs.statfsSync(at)
  return [spaceCheck(at, bavail * bsize, blocks * bsize), inodeCheck(at, ffree, files)]
}

export function spaceCheck(at: string, free: number, total: number): Check {
  const found = `${(free / GIB).toFixed(1)} GiB of ${(total / GIB).toFixed(1)} free at ${at}`
  const advice = `Remove unused images and volumes, then look for what is large: du -xh --max-depth=2 ${at} | sort -h | tail`
  if (free < GIB) return fail('disk space', found, advice)
  if (free < 5 * GIB || free < total / 20) return warn('disk space', found, advice)
  return ok('disk space', found)
}

/** File systems without a fixed number (btrfs) say zero. */
export function inodeCheck(at: string, free: number, total: number): Check {
  if (total === 0) return ok('inodes', `without a limit at ${at}`)
  const percent = Math.round((100 * free) / total)
  const found = `${percent} % free at ${at}`
  const advice = 'Remove unused images: they are many small files'
  if (free < 10_000) return fail('inodes', found, advice)
  if (percent < 10) return warn('inodes', found, advice)
  return ok('inodes', found)
}
