/** The small init that `--init` puts in front of a container's program. @module */
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { invalid } from '@kernel/contracts'

/** Linked statically, so that they run over any image. */
const NAMES = ['docker-init', 'tini-static', 'catatonit']
const FOLDERS = [
  '/usr/local/libexec/docker',
  '/usr/libexec/docker',
  '/usr/libexec',
  '/usr/local/bin',
  '/usr/bin',
  '/sbin',
  '/bin',
]

/** @throws invalid where none is installed, in dockerd's words */
export function findInit(): string {
  for (const name of NAMES)
    for (const folder of FOLDERS) {
      const path = join(folder, name)
      try {
        accessSync(path, constants.X_OK)
        return path
      } catch {
        // the next one
      }
    }
  throw invalid('exec: "docker-init": executable file not found in $PATH', {
    hint: 'Install docker-init or tini-static on the host, or run without --init.',
  })
}
