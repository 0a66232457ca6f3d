/** What the tests of containers/ stand on: a real engine over plain folders, busybox and bind mounts. @module */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import {
  type Digest,
  type EngineEvent,
  type Events,
  type ImageRunConfig,
  notFound,
  type ProcessStream,
} from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { bindMount, createNetns, deleteNetns, umountIfMounted } from '@kernel/sys'
import type { HostFacts, ImageRecord, ImageStore, Sandboxes, Snapshots, VolumeMounts } from '../parts.ts'
import type { ContainersOptions } from './engine.ts'

export const BUSYBOX = '/bin/busybox'

/** Why the tests with real containers can't run here; empty: they can. */
export function lacking(): string {
  if (process.getuid?.() !== 0) return 'needs root'
  for (const path of [BUSYBOX, '/usr/bin/conmon']) if (!fs.existsSync(path)) return `needs ${path}`
  return ''
}

/** The OCI runtimes of this machine. */
export function runtimes(): NonNullable<HostFacts['runtime']>[] {
  const hybrid = fs.existsSync('/sys/fs/cgroup/unified/cgroup.procs')
  const found: NonNullable<HostFacts['runtime']>[] = []
  for (const [kind, path] of [
    ['crun', '/usr/bin/crun'],
    ['runc', '/usr/sbin/runc'],
  ] as const)
    if (fs.existsSync(path))
      found.push({ kind, path, version: '', unmountUnified: hybrid && kind === 'crun' })
  return found
}

export interface Bench {
  dataDir: string
  events: EngineEvent[]
  /** Sets the configuration that the image `busybox` brings. */
  image: ImageRunConfig
  options: ContainersOptions
  /** Everything of this bench goes: mounts, namespaces, cgroups, files. */
  dispose(): void
}

const imageId: Digest = `sha256:${'b'.repeat(64)}`

export function createBench(runtime: NonNullable<HostFacts['runtime']>): Bench {
  const dataDir = fs.mkdtempSync(join(os.tmpdir(), 'containers-'))
  const template = join(dataDir, 'template')
  for (const dir of ['bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'root', 'run'])
    fs.mkdirSync(join(template, dir), { recursive: true })
  fs.copyFileSync(BUSYBOX, join(template, 'bin/busybox'))
  for (const name of execFileSync(BUSYBOX, ['--list'], { encoding: 'utf8' }).trim().split('\n'))
    if (name !== 'busybox') fs.symlinkSync('busybox', join(template, 'bin', name))
  fs.writeFileSync(
    join(template, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\n',
  )
  fs.writeFileSync(join(template, 'etc/group'), 'root:x:0:\nweb:x:1001:\nlogs:x:2000:web,other\n')

  const events: EngineEvent[] = []
  const bench: Bench = { dataDir, events, image: { Cmd: ['sh'] }, options: undefined as never, dispose }
  const netns = join(dataDir, 'netns')
  fs.mkdirSync(netns)

  const snapshots: Snapshots = {
    prepare: async (key) => {
      fs.cpSync(template, join(dataDir, 'roots', key), { recursive: true, verbatimSymlinks: true })
      fs.mkdirSync(join(dataDir, 'mounts', key), { recursive: true })
    },
    mount: async (key) => {
      const at = join(dataDir, 'mounts', key)
      umountIfMounted(at)
      bindMount(join(dataDir, 'roots', key), at)
      return at
    },
    unmount: async (key) => {
      umountIfMounted(join(dataDir, 'mounts', key))
    },
    remove: async (key) => {
      umountIfMounted(join(dataDir, 'mounts', key))
      for (const kind of ['roots', 'mounts'])
        fs.rmSync(join(dataDir, kind, key), { recursive: true, force: true })
    },
    upperDir: (key) => join(dataDir, 'roots', key),
    usage: async () => 4096,
    keys: async () => fs.readdirSync(join(dataDir, 'roots')),
    commit: async () => {
      throw new Error('not in this test')
    },
    changes: async () => [],
  }
  const sandboxes: Sandboxes = {
    validate: async () => {},
    up: async (request) => {
      const host = request.hostConfig.NetworkMode === 'host'
      const path = join(netns, request.containerId)
      if (!host && !fs.existsSync(path)) createNetns(path)
      return {
        ...(host ? {} : { netns: path }),
        endpoints: { bridge: { IPAddress: '172.17.0.2' } },
        ports: {},
        hosts: `127.0.0.1 localhost\n172.17.0.2 ${request.hostname}\n`,
        resolvConf: 'nameserver 127.0.0.11\n',
      }
    },
    down: async (id) => deleteNetns(join(netns, id)),
    restore: async () => {},
    rename: async () => {},
    setContainers: () => {},
    onEndpointChange: () => {},
  }
  const volumes: VolumeMounts = {
    resolve: async (_id, _config, host) =>
      (host.Binds ?? []).map((bind) => {
        const [Source = '', Destination = '', Mode = ''] = bind.split(':')
        return {
          Type: 'bind' as const,
          Source,
          Destination,
          Mode,
          RW: Mode !== 'ro',
          Propagation: 'rprivate',
        }
      }),
    populate: async () => {},
    removeAnonymous: async () => {},
    setUsers: () => {},
  }
  const images = {
    resolve: async (ref: string): Promise<ImageRecord> => {
      if (ref !== 'busybox' && ref !== imageId) throw notFound(`No such image: ${ref}`)
      const config = {
        architecture: 'amd64',
        os: 'linux',
        rootfs: { type: 'layers' as const, diff_ids: [] },
        config: bench.image,
      }
      return { id: imageId, config, size: 1 << 20 }
    },
    setUsers: () => {},
  } as unknown as ImageStore

  const stream: Events = {
    publish: (event) => events.push({ ...event, scope: 'local', time: Date.now() / 1000, timeNano: 0n }),
    async *subscribe() {},
  }
  bench.options = {
    dataDir,
    log: quiet,
    host: {
      root: true,
      runtime,
      conmon: { path: '/usr/bin/conmon', version: '' },
      cgroup: fs.existsSync('/sys/fs/cgroup/cgroup.controllers')
        ? 'v2'
        : fs.existsSync('/sys/fs/cgroup/unified')
          ? 'hybrid'
          : 'v1',
      overlay: true,
      nft: true,
    },
    images,
    snapshots,
    archives: { unpack: () => Promise.reject(new Error('not in this test')) },
    sandboxes,
    volumes,
    events: stream,
    cgroupParent: `kernel-test-${dataDir.slice(-6)}`,
  }

  function dispose(): void {
    for (const kind of ['mounts', 'netns'])
      for (const name of fs.existsSync(join(dataDir, kind)) ? fs.readdirSync(join(dataDir, kind)) : [])
        umountIfMounted(join(dataDir, kind, name))
    fs.rmSync(dataDir, { recursive: true, force: true })
  }
  return bench
}

const quiet: Logger = {
  debug: () => {},
  info: () => {},
  warn: (m) => console.warn(m),
  error: (m) => console.error(m),
}

/** Collects what a stream brings, by stream. */
export async function collect(stream: ProcessStream): Promise<{ out: string; err: string }> {
  const text = { out: '', err: '' }
  for await (const { stream: number, data } of stream.output)
    text[number === 1 ? 'out' : 'err'] += Buffer.from(data).toString('utf8')
  return text
}

/** Waits until `check` holds; for what happens beside the test. */
export async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (await check()) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`never came: ${what}`)
}
