/** A daemon whose data dir is on a disk of its own. @module */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { Daemon } from './daemon.ts'
import { SmallDisk } from './small-disk.ts'

/** Made before the tests of the file, and gone after them; the answers are there once the tests run. */
export function useSmallDisk(megabytes: number): { readonly daemon: Daemon; readonly disk: SmallDisk } {
  let dir = ''
  let disk: SmallDisk | undefined
  let daemon: Daemon | undefined
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'kernel-disk-'))
    disk = await SmallDisk.make(dir, megabytes)
    daemon = await Daemon.open({ dataDir: join(disk.at, 'data') })
  })
  beforeEach(({ onTestFailed, task }) => {
    onTestFailed(() => console.error(`The daemon's log at the end of "${task.name}":\n${daemon?.logTail()}`))
  })
  afterAll(async () => {
    try {
      disk?.free()
      await daemon?.close()
    } finally {
      await disk?.close()
      if (dir !== '') rmSync(dir, { recursive: true, force: true })
    }
  })
  const made = <T>(what: T | undefined): T => {
    if (what === undefined) throw new Error('the disk has not been made yet')
    return what
  }
  return {
    get daemon() {
      return made(daemon)
    },
    get disk() {
      return made(disk)
    },
  }
}
