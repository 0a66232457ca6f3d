/** A whole runtime over a data dir of its own, for the tests of what stands on containers. @module */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { memoryLogger } from '@kernel/kernel/testing'
import { createContainers } from '../containers/index.ts'
import { createEvents } from '../events/index.ts'
import { probeHost } from '../host/index.ts'
import { createNetworks } from '../networks/index.ts'
import { createStore } from '../store/index.ts'
import { createVolumes } from '../volumes/index.ts'
import { createBuilder } from './index.ts'

/** Why containers can't be had here; empty: they can. */
export function lacking(): string {
  if (process.getuid?.() !== 0) return 'needs root'
  for (const path of ['/bin/busybox', '/usr/bin/conmon']) if (!fs.existsSync(path)) return `needs ${path}`
  return ''
}

export async function openTestRuntime() {
  const dataDir = fs.mkdtempSync(join(os.tmpdir(), 'runtime-test-'))
  const instance = `t${randomBytes(4).toString('hex')}`
  const log = memoryLogger()
  const host = await probeHost({ dataDir })
  fs.mkdirSync(join(dataDir, 'db'), { recursive: true })
  const events = createEvents({ file: ':memory:' })
  const store = await createStore({ dataDir, log })
  const { images, snapshots, archives } = store
  const networks = await createNetworks({ dataDir, log, events, instance })
  const { volumes, mounts, close: closeVolumes } = await createVolumes({ dataDir, log, events })
  const { sandboxes } = networks
  const cgroupParent = `kernel-${instance}`
  const containers = await createContainers({
    dataDir,
    log,
    host,
    images,
    snapshots,
    archives,
    sandboxes,
    volumes: mounts,
    events,
    cgroupParent,
  })
  await containers.restore()
  const builder = await createBuilder({ dataDir, images, snapshots, containers, events, log })

  /** An image `busybox:latest` of this machine's own busybox. */
  async function addBusybox(): Promise<void> {
    const root = fs.mkdtempSync(join(os.tmpdir(), 'busybox-'))
    for (const dir of ['bin', 'etc', 'tmp', 'root']) fs.mkdirSync(join(root, dir))
    fs.copyFileSync('/bin/busybox', join(root, 'bin/busybox'))
    fs.chmodSync(join(root, 'tmp'), 0o1777)
    for (const name of String(execFileSync('/bin/busybox', ['--list']))
      .trim()
      .split('\n'))
      if (name !== 'busybox') fs.symlinkSync('busybox', join(root, 'bin', name))
    fs.writeFileSync(
      join(root, 'etc/passwd'),
      'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\n',
    )
    fs.writeFileSync(join(root, 'etc/group'), 'root:x:0:\nweb:x:1001:\n')
    try {
      const { diffId } = await images.addLayerFromDir(root, { mtime: 0 })
      const config = { Cmd: ['sh'], Env: ['PATH=/bin'] }
      await images.createImage(
        { architecture: 'amd64', os: 'linux', config, rootfs: { type: 'layers', diff_ids: [diffId] } },
        { tags: ['busybox:latest'] },
      )
    } finally {
      fs.rmSync(root, { recursive: true })
    }
  }

  async function dispose(): Promise<void> {
    for (const { Id } of await containers.list({ all: true }))
      await containers.remove(Id, { force: true, volumes: true })
    builder.close()
    await containers.close()
    await networks.purge()
    await networks.close()
    closeVolumes()
    for (const key of await snapshots.keys()) await snapshots.remove(key)
    await store.close()
    events.close()
    fs.rmSync(dataDir, { recursive: true, force: true })
  }

  return {
    dataDir,
    instance,
    log,
    host,
    events,
    store,
    images,
    snapshots,
    networks: networks.networks,
    volumes,
    containers,
    builder,
    addBusybox,
    dispose,
  }
}
