import fs from 'node:fs'
import { SysError } from './errors.ts'
import { foreign } from './libc.ts'

const syncfs = foreign('syncfs', 'int', ['int'])
const EIO = 5

/**
 * Writes all that is pending of the file system that holds `path` to the disk, on a pool thread: far cheaper
 * than an fsync a file after a tree was unpacked.
 */
export async function syncFilesystem(path: string): Promise<void> {
  const handle = await fs.promises.open(path, 'r')
  try {
    if ((await syncfs.async(handle.fd)) < 0) throw new SysError('syncfs', EIO, { path })
  } finally {
    await handle.close()
  }
}
