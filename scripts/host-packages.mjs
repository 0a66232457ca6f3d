/**
 * What the product and its tests need from the operating system, by Debian's package names.
 * Runs before anything is installed: Node's own modules only, Node 20 or newer.
 */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** @typedef {{ package: string, commands: string[], why: string, needed: 'always' | 'containers' | 'tests' }} HostPackage */

/** @type {HostPackage[]} */
export const hostPackages = [
  { package: 'git', commands: ['git'], why: 'takes the pushes in', needed: 'always' },
  { package: 'openssh-client', commands: ['ssh', 'ssh-keygen'], why: 'pushes over SSH', needed: 'always' },
  { package: 'ca-certificates', commands: [], why: 'trusts registries', needed: 'containers' },
  { package: 'conmon', commands: ['conmon'], why: 'watches each container', needed: 'containers' },
  { package: 'crun', commands: ['crun'], why: 'starts containers (fast)', needed: 'containers' },
  { package: 'runc', commands: ['runc'], why: 'starts containers where crun can not', needed: 'containers' },
  { package: 'nftables', commands: ['nft'], why: 'publishes ports', needed: 'containers' },
  {
    package: 'tini',
    commands: ['tini-static'],
    why: 'the init of containers, so that they stop at once',
    needed: 'containers',
  },
  {
    package: 'busybox-static',
    commands: ['busybox'],
    why: 'shell and tools of the base image',
    needed: 'containers',
  },
  {
    package: 'docker.io',
    commands: ['docker', 'dockerd'],
    why: 'the real client, and the peer to compare with',
    needed: 'tests',
  },
  {
    package: 'docker-registry',
    commands: ['docker-registry'],
    why: 'a real registry to pull from',
    needed: 'tests',
  },
  {
    package: 'docker-compose',
    commands: ['docker-compose'],
    why: 'Compose files through a client that people have',
    needed: 'tests',
  },
  { package: 'chromium', commands: ['chromium'], why: 'a real browser for the dashboard', needed: 'tests' },
  { package: 'curl', commands: ['curl'], why: 'another visitor, with HTTP/2', needed: 'tests' },
  { package: 'openssl', commands: ['openssl'], why: 'certificates from elsewhere', needed: 'tests' },
  {
    package: 'pebble',
    commands: ['pebble', 'pebble-challtestsrv'],
    why: 'a real ACME server to get certificates from',
    needed: 'tests',
  },
  { package: 'e2fsprogs', commands: ['mkfs.ext4'], why: 'makes a disk that is filled', needed: 'tests' },
  { package: 'iproute2', commands: ['ip'], why: 'looks at the networks from outside', needed: 'tests' },
]

/** Is a command on the PATH, or in the folders where Debian keeps the system's own? */
export function hasCommand(name, path = process.env.PATH ?? '') {
  for (const dir of [...path.split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']) {
    if (!dir) continue
    try {
      accessSync(join(dir, name), constants.X_OK)
      return true
    } catch {}
  }
  return false
}

/** The packages of the kinds given whose commands are not to be found. */
export function missingPackages(kinds, has = hasCommand) {
  return hostPackages.filter((p) => kinds.includes(p.needed) && p.commands.some((c) => !has(c)))
}
