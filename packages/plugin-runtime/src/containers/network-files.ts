/** The files that are bound over a container's /etc: hostname, hosts, resolv.conf. @module */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SandboxResult } from '../parts.ts'

/** @returns the names of the files */
export function writeNetworkFiles(dir: string, hostname: string, sandbox: SandboxResult): string[] {
  write(dir, 'hostname', `${hostname}\n`)
  write(dir, 'hosts', sandbox.hosts ?? hostFile('hosts'))
  write(dir, 'resolv.conf', sandbox.resolvConf ?? hostFile('resolv.conf'))
  return ['hostname', 'hosts', 'resolv.conf']
}

/** For a container that runs: the same files get new contents, since the binds hold on to them. */
export function rewriteNetworkFiles(dir: string, files: Pick<SandboxResult, 'hosts' | 'resolvConf'>): void {
  write(dir, 'hosts', files.hosts)
  write(dir, 'resolv.conf', files.resolvConf)
}

function write(dir: string, name: string, content: string): void {
  writeFileSync(join(dir, name), content, { mode: 0o644 })
}

function hostFile(name: string): string {
  try {
    return readFileSync(`/etc/${name}`, 'utf8')
  } catch {
    return ''
  }
}
