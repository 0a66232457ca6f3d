/** What this machine has for the tests. @module */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const folders = [
  ...(process.env.PATH ?? '').split(delimiter),
  '/usr/local/sbin',
  '/usr/sbin',
  '/sbin',
  '/bin',
]

/** The path of a program, also of one in the folders of the system's own. */
export function findProgram(name: string): string | undefined {
  for (const dir of folders) {
    const path = join(dir, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not here.
    }
  }
  return undefined
}

const packages: Record<string, string> = {
  docker: 'docker.io',
  'docker-compose': 'docker-compose',
  'docker-registry': 'docker-registry',
  chromium: 'chromium',
  busybox: 'busybox-static',
  setpriv: 'util-linux',
  script: 'bsdutils',
  curl: 'curl',
  openssl: 'openssl',
  pebble: 'pebble',
  'pebble-challtestsrv': 'pebble',
}

/**
 * For `describe.skipIf`: what is needed and not here, said in one line. On CI everything is installed, so that
 * nothing is skipped there: it throws.
 */
export function lacks(what: string, ...programs: Array<string | 'root'>): boolean {
  const missing = programs.filter((name) => (name === 'root' ? process.getuid?.() !== 0 : !findProgram(name)))
  if (missing.length === 0) return false
  const words = missing.map((name) =>
    name === 'root' ? 'the rights of root' : `${name} (package ${packages[name] ?? name})`,
  )
  const line = `${what}: skipped, for this machine lacks ${words.join(', ')}`
  if (process.env.CI) throw new Error(line)
  console.warn(line)
  return true
}

/** For suites with containers: root, an OCI runtime, and what goes with it. */
export const lacksContainers = (what: string): boolean =>
  lacks(what, 'root', 'conmon', findProgram('crun') ? 'crun' : 'runc', 'nft')
