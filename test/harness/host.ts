/** What this machine has for the tests. @module */
import { accessSync, constants, existsSync } from 'node:fs'
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
  'mkfs.ext4': 'e2fsprogs',
  setpriv: 'util-linux',
  script: 'bsdutils',
  curl: 'curl',
  openssl: 'openssl',
  pebble: 'pebble',
  'pebble-challtestsrv': 'pebble',
}

/** What is no program, and how it is called. */
const others: Record<string, string> = { root: 'the rights of root', 'loop devices': 'loop devices' }

function isHere(name: string): boolean {
  if (name === 'root') return process.getuid?.() === 0
  if (name === 'loop devices') return existsSync('/dev/loop-control')
  return findProgram(name) !== undefined
}

/**
 * For `describe.skipIf`: what is needed and not here, said in one line. On CI everything is installed, so that
 * nothing is skipped there: it throws.
 */
export function lacks(what: string, ...programs: Array<string | 'root' | 'loop devices'>): boolean {
  const missing = programs.filter((name) => !isHere(name))
  if (missing.length === 0) return false
  const words = missing.map((name) => others[name] ?? `${name} (package ${packages[name] ?? name})`)
  const line = `${what}: skipped, for this machine lacks ${words.join(', ')}`
  if (process.env.CI) throw new Error(line)
  console.warn(line)
  return true
}

/** For suites with containers: root, an OCI runtime, and what goes with it. */
export const lacksContainers = (what: string): boolean =>
  lacks(what, 'root', 'conmon', findProgram('crun') ? 'crun' : 'runc', 'nft')
