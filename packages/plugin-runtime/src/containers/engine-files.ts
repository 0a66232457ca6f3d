/** What a start puts into a root file system by itself, to mount upon: no change that anybody made. @module */
import fs from 'node:fs'
import { join } from 'node:path'

const FILES = ['etc/hosts', 'etc/resolv.conf', 'etc/hostname', 'etc/mtab', '.dockerenv']
const FOLDERS = ['dev', 'proc', 'sys']

/** Those that are in an overlay's upper folder, as paths relative to it; a file with content was written by somebody. */
export function engineFiles(upper: string): string[] {
  const stat = (path: string) => fs.lstatSync(join(upper, path), { throwIfNoEntry: false })
  return [
    ...FILES.filter((path) => {
      const found = stat(path)
      return found?.isFile() && found.size === 0
    }),
    ...FOLDERS.filter((path) => stat(path)?.isDirectory() && fs.readdirSync(join(upper, path)).length === 0),
  ]
}
