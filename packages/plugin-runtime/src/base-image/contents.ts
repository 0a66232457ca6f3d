/** What stands in the base image, and where each part comes from on this machine. @module */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { failed } from '@kernel/contracts'
import { sharedLibraries } from './shared-libraries.ts'

/** A file, folder or link of the image. `target` has no leading slash. */
export type Part =
  | { kind: 'file'; target: string; source: string; mode: number }
  | { kind: 'text'; target: string; text: string; mode: number }
  | { kind: 'tree'; target: string; source: string }
  | { kind: 'link'; target: string; to: string }
  | { kind: 'dir'; target: string; mode: number; owner?: number }

/** Change it whenever the same inputs shall give another image. */
export const recipe = 2

/** The user that apps run as. */
export const appUser = { name: 'app', uid: 1000, gid: 1000, home: '/home/app' } as const

/** Programs taken from the machine one by one where it has no busybox. */
const singlePrograms =
  'sh bash cat chgrp chmod chown cp cut date dirname basename echo env expr false find grep gzip head hostname id kill ln ls md5sum mkdir mktemp mv nproc printenv printf ps pwd readlink realpath rm rmdir sed sha256sum sleep sort stat tail tar tee test touch tr true uname uniq wc which whoami xargs'

const caBundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/cert.pem',
]

/** The bundle that the build makes of static-server.ts, seen from the sources and from dist. */
export function staticServerFile(): string {
  const beside = fileURLToPath(new URL('./static-server.js', import.meta.url))
  if (existsSync(beside)) return beside
  return fileURLToPath(new URL('../../dist/static-server.js', import.meta.url))
}

function findProgram(name: string): string | undefined {
  const folders = [
    '/bin',
    '/usr/bin',
    '/usr/local/bin',
    '/sbin',
    '/usr/sbin',
    ...(process.env.PATH ?? '').split(':'),
  ]
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

/** A shell and core utilities: busybox with its links, else the machine's own programs. */
function tools(): { programs: string[]; parts: Part[] } {
  const busybox = findProgram('busybox')
  if (!busybox) {
    const programs = singlePrograms.split(' ').flatMap((name) => findProgram(name) ?? [])
    if (!programs.some((path) => path.endsWith('/sh')))
      throw failed('This machine has no /bin/sh for the base image.')
    return {
      programs,
      parts: programs.map((source) => ({
        kind: 'file',
        target: `usr/bin/${source.split('/').at(-1)}`,
        source,
        mode: 0o755,
      })),
    }
  }
  const applets = String(execFileSync(busybox, ['--list'])).split('\n')
  const links = applets.filter((name) => /^[a-z0-9_.[\]-]+$/i.test(name) && name !== 'busybox')
  return {
    programs: [busybox],
    parts: [
      { kind: 'file', target: 'usr/bin/busybox', source: busybox, mode: 0o755 },
      ...links.map((name): Part => ({ kind: 'link', target: `usr/bin/${name}`, to: 'busybox' })),
    ],
  }
}

/** All parts in the order in which they are laid down. @throws failed where the machine lacks one */
export async function baseImageContents(): Promise<Part[]> {
  const { programs, parts: toolParts } = tools()
  const needed = await Promise.all([process.execPath, ...programs].map(sharedLibraries))
  const libraries = [...new Set(needed.flat())].sort()
  const caBundle = caBundles.find((path) => existsSync(path))
  const npm = dirname(createRequire(import.meta.url).resolve('npm/package.json'))
  const folder = (target: string, mode = 0o755, owner?: number): Part => ({
    kind: 'dir',
    target,
    mode,
    owner,
  })
  const { name, uid, gid, home } = appUser
  return [
    ...[
      'usr',
      'usr/bin',
      'usr/lib',
      'usr/lib64',
      'usr/local',
      'usr/local/bin',
      'usr/local/lib',
      'usr/local/lib/node_modules',
      'etc',
      'etc/ssl',
      'etc/ssl/certs',
      'opt',
      'opt/kernel',
      'var',
      'run',
      'proc',
      'sys',
      'dev',
      'home',
    ].map((target) => folder(target)),
    folder('tmp', 0o1777),
    folder('var/tmp', 0o1777),
    folder('root', 0o700),
    folder('app', 0o755, uid),
    folder(home.slice(1), 0o755, uid),
    { kind: 'link', target: 'bin', to: 'usr/bin' },
    { kind: 'link', target: 'sbin', to: 'usr/bin' },
    { kind: 'link', target: 'usr/sbin', to: 'bin' },
    { kind: 'link', target: 'lib', to: 'usr/lib' },
    { kind: 'link', target: 'lib64', to: 'usr/lib64' },
    ...toolParts,
    ...libraries.map((source): Part => ({ kind: 'file', target: mergedUsr(source), source, mode: 0o755 })),
    { kind: 'file', target: 'usr/local/bin/node', source: process.execPath, mode: 0o755 },
    { kind: 'tree', target: 'usr/local/lib/node_modules/npm', source: npm },
    { kind: 'link', target: 'usr/local/bin/npm', to: '../lib/node_modules/npm/bin/npm-cli.js' },
    { kind: 'link', target: 'usr/local/bin/npx', to: '../lib/node_modules/npm/bin/npx-cli.js' },
    { kind: 'file', target: 'opt/kernel/static-server.mjs', source: staticServerFile(), mode: 0o644 },
    ...(caBundle
      ? [
          {
            kind: 'file',
            target: 'etc/ssl/certs/ca-certificates.crt',
            source: caBundle,
            mode: 0o644,
          } as const,
        ]
      : []),
    text(
      'etc/passwd',
      `root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n${name}:x:${uid}:${gid}::${home}:/bin/sh\n`,
    ),
    text('etc/group', `root:x:0:\nnogroup:x:65534:\n${name}:x:${gid}:\n`),
    text('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n'),
    text(
      'etc/os-release',
      `NAME="kernel base"\nID=kernel-base\nPRETTY_NAME="kernel base image ${recipe}, Node ${process.versions.node}"\n`,
    ),
  ]
}

const text = (target: string, content: string): Part => ({ kind: 'text', target, text: content, mode: 0o644 })

/** `/lib/x` and `/usr/lib/x` are one place in the image, as on today's distributions. */
function mergedUsr(path: string): string {
  return path.startsWith('/usr/') ? path.slice(1) : `usr${path}`
}
