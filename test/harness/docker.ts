/** The real docker command line, an image that needs no registry, and a registry. @module */

import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from './host.ts'
import { freePorts } from './ports.ts'
import { must } from './run.ts'
import { until } from './until.ts'

/** The one on the PATH. @throws where there is none */
export function dockerCommand(): string {
  const docker = findProgram('docker')
  if (!docker) throw new Error('There is no docker command line here.')
  return docker
}

/**
 * Makes an archive for `docker load` from the machine's static busybox, in the form that `docker save` writes:
 * one layer, its configuration, `manifest.json`.
 * @returns its path
 */
export async function busyboxArchive(dir: string, tag: string): Promise<string> {
  const busybox = findProgram('busybox')
  if (!busybox) throw new Error('There is no busybox here.')
  const tree = join(dir, 'busybox-tree')
  for (const folder of ['bin', 'etc', 'tmp', 'home', 'var/www'])
    mkdirSync(join(tree, folder), { recursive: true })
  copyFileSync(busybox, join(tree, 'bin/busybox'))
  const applets = (await must(busybox, ['--list'])).trim().split('\n')
  for (const applet of applets) if (applet !== 'busybox') symlinkSync('busybox', join(tree, 'bin', applet))
  writeFileSync(join(tree, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\nann:x:1000:1000:ann:/home:/bin/sh\n')
  writeFileSync(join(tree, 'etc/group'), 'root:x:0:\nann:x:1000:\n')

  const parts = join(dir, 'busybox-archive')
  mkdirSync(parts, { recursive: true })
  const layer = join(parts, 'layer.tar')
  await must('tar', ['-C', tree, '--owner=0', '--group=0', '--numeric-owner', '-cf', layer, '.'])
  const digest = `sha256:${createHash('sha256').update(readFileSync(layer)).digest('hex')}`
  const config = {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Env: ['PATH=/bin', 'FROM_IMAGE=yes'], Cmd: ['sh'] },
    rootfs: { type: 'layers', diff_ids: [digest] },
    history: [{ created: '2026-01-01T00:00:00Z', created_by: 'a test' }],
  }
  writeFileSync(join(parts, 'config.json'), JSON.stringify(config))
  writeFileSync(
    join(parts, 'manifest.json'),
    JSON.stringify([{ Config: 'config.json', RepoTags: [tag], Layers: ['layer.tar'] }]),
  )
  const archive = join(dir, 'busybox.tar')
  await must('tar', ['-C', parts, '-cf', archive, 'manifest.json', 'config.json', 'layer.tar'])
  for (const folder of [tree, parts]) rmSync(folder, { recursive: true })
  if (statSync(archive).size === 0) throw new Error('the archive is empty')
  return archive
}

/** A real registry on this machine, without passwords. */
export class Registry {
  readonly address: string
  readonly #process: ChildProcess

  private constructor(address: string, child: ChildProcess) {
    this.address = address
    this.#process = child
  }

  static async open(dir: string): Promise<Registry> {
    const [port] = await freePorts(1)
    const address = `127.0.0.1:${port}`
    const config = join(dir, 'registry.json')
    writeFileSync(
      config,
      JSON.stringify({
        version: '0.1',
        log: { level: 'error' },
        storage: { filesystem: { rootdirectory: join(dir, 'registry') } },
        http: { addr: address },
      }),
    )
    const child = spawn(findProgram('docker-registry') ?? 'docker-registry', ['serve', config], {
      stdio: 'ignore',
    })
    await until('the registry answers', async () => (await fetch(`http://${address}/v2/`)).ok)
    return new Registry(address, child)
  }

  close(): void {
    this.#process.kill()
  }
}
