import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { ContainerConfig } from '@kernel/contracts'
import { collection, openDatabase } from '@kernel/state'
import { umountIfMounted } from '@kernel/sys'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createEvents } from '../events/index.ts'
import { createVolumes } from './volumes.ts'

const isRoot = process.getuid?.() === 0
if (!isRoot) console.log('not root: volumes with owners, devices and mount options are not tested')

const log = { debug() {}, info() {}, warn() {}, error() {} }
const config: ContainerConfig = { Image: 'x' }
let dataDir: string
let runtime: Awaited<ReturnType<typeof createVolumes>>
let events: ReturnType<typeof createEvents>

beforeEach(async () => {
  dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'volumes-'))
  events = createEvents({ file: ':memory:' })
  runtime = await createVolumes({ dataDir, log, events })
})
afterEach(async () => {
  await runtime.close()
  events.close()
  fs.rmSync(dataDir, { recursive: true, force: true })
})

describe('volumes', () => {
  test('whose removal a kill has cut off are gone after the next start, whole', async () => {
    const made = await runtime.volumes.create({ Name: 'data' })
    fs.writeFileSync(path.join(made.Mountpoint, 'file'), 'x')
    await runtime.close()
    // As a kill leaves it between the mark and the files.
    const db = openDatabase(path.join(dataDir, 'db', 'volumes.db'))
    collection<object>(db, 'volumes').update('data', (record) => ({ ...record, removing: true }))
    db.close()
    runtime = await createVolumes({ dataDir, log, events })
    expect(await runtime.volumes.list()).toEqual([])
    await expect(runtime.volumes.inspect('data')).rejects.toThrow('no such volume')
    const again = await runtime.volumes.create({ Name: 'data' })
    expect(fs.readdirSync(again.Mountpoint)).toEqual([])
    await runtime.close()
    runtime = await createVolumes({ dataDir, log, events })
    expect((await runtime.volumes.list()).map(({ Name }) => Name)).toEqual(['data'])
  })

  test('that were on record when a kill came, and had no folder yet, get it', async () => {
    const made = await runtime.volumes.create({ Name: 'data' })
    await runtime.close()
    fs.rmSync(path.dirname(made.Mountpoint), { recursive: true })
    runtime = await createVolumes({ dataDir, log, events })
    await expect.poll(() => fs.existsSync(made.Mountpoint)).toBe(true)
  })

  test('that could not be removed stay as they were', async () => {
    const made = await runtime.volumes.create({ Name: 'data' })
    if (!isRoot) return
    execFileSync('mount', ['-t', 'tmpfs', 'none', path.join(made.Mountpoint)])
    try {
      await expect(runtime.volumes.remove('data')).rejects.toThrow('still mounted')
      expect((await runtime.volumes.list()).map(({ Name }) => Name)).toEqual(['data'])
    } finally {
      umountIfMounted(made.Mountpoint)
    }
  })

  test('are made once by name, listed by filter, and removed with their files', async () => {
    const { volumes } = runtime
    const made = await volumes.create({ Name: 'data', Labels: { app: 'hello' } })
    expect(made).toMatchObject({ Name: 'data', Driver: 'local', Scope: 'local', Labels: { app: 'hello' } })
    fs.writeFileSync(path.join(made.Mountpoint, 'file'), 'x'.repeat(10_000))
    expect((await volumes.create({ Name: 'data' })).CreatedAt).toBe(made.CreatedAt)
    await volumes.create({ Name: 'other' })
    expect((await volumes.list({ filters: { label: ['app=hello'] } })).map((v) => v.Name)).toEqual(['data'])
    expect((await volumes.list({ filters: { name: ['oth'] } })).map((v) => v.Name)).toEqual(['other'])
    const [sized] = await volumes.list({ size: true })
    expect(sized?.UsageData?.Size).toBeGreaterThanOrEqual(10_000)
    await expect(volumes.list({ filters: { color: ['red'] } })).rejects.toThrow("invalid filter 'color'")
    await volumes.remove('data')
    expect(fs.existsSync(made.Mountpoint)).toBe(false)
    await expect(volumes.inspect('data')).rejects.toMatchObject({ kind: 'not-found' })
    await expect(volumes.remove('data')).rejects.toThrow('get data: no such volume')
    await volumes.remove('data', { force: true })
  })

  test('survive a restart', async () => {
    const { Mountpoint } = await runtime.volumes.create({ Name: 'kept' })
    fs.writeFileSync(path.join(Mountpoint, 'file'), 'kept')
    runtime.close()
    runtime = await createVolumes({ dataDir, log, events })
    expect((await runtime.volumes.inspect('kept')).Mountpoint).toBe(Mountpoint)
    expect(fs.readFileSync(path.join(Mountpoint, 'file'), 'utf8')).toBe('kept')
  })

  test('bad names and drivers are refused', async () => {
    await expect(runtime.volumes.create({ Name: '../up' })).rejects.toMatchObject({ kind: 'invalid' })
    await expect(runtime.volumes.create({ Name: 'x' })).rejects.toThrow('invalid characters')
    await expect(runtime.volumes.create({ Name: 'nfs', Driver: 'flocker' })).rejects.toThrow('not found')
  })

  test('in use are kept by remove and prune; prune spares named ones unless all', async () => {
    const { volumes, mounts } = runtime
    const { Name: anonymous } = await volumes.create({})
    expect(anonymous).toMatch(/^[0-9a-f]{64}$/)
    await volumes.create({ Name: 'named' })
    await volumes.create({ Name: 'used' })
    mounts.setUsers((name) => (name === 'used' ? ['c1', 'c2'] : []))
    await expect(volumes.remove('used')).rejects.toMatchObject({
      kind: 'conflict',
      message: 'remove used: volume is in use - [c1, c2]',
    })
    expect((await volumes.list({ filters: { dangling: ['false'] } })).map((v) => v.Name)).toEqual(['used'])
    expect((await volumes.prune()).deleted).toEqual([anonymous])
    expect((await volumes.prune({ filters: { all: ['true'] } })).deleted).toEqual(['named'])
  })
})

describe('mount points', () => {
  test('of binds, mounts, tmpfs and the image, outer folders first', async () => {
    const host = path.join(dataDir, 'host/new')
    const points = await runtime.mounts.resolve(
      'c1',
      { ...config, Volumes: { '/data': {}, '/image': {} } },
      {
        Binds: [`${host}:/a/b:ro`, 'named:/data'],
        Mounts: [{ Type: 'volume', Target: '/a', Source: 'other', VolumeOptions: { NoCopy: true } }],
        Tmpfs: { '/tmp': 'size=1m' },
      },
    )
    expect(points.map((p) => [p.Type, p.Destination, p.RW, p.Mode])).toEqual([
      ['volume', '/a', true, 'z,nocopy'],
      ['volume', '/data', true, ''],
      ['volume', '/image', true, ''],
      ['tmpfs', '/tmp', true, 'size=1m'],
      ['bind', '/a/b', false, 'ro'],
    ])
    expect(fs.statSync(host).isDirectory()).toBe(true)
    expect(points[1]?.Name).toBe('named')
    expect(points[2]?.Name).toMatch(/^[0-9a-f]{64}$/)
    await runtime.mounts.removeAnonymous('c1')
    expect((await runtime.volumes.list()).map((v) => v.Name)).toEqual(['named', 'other'])
  })

  const refused: Array<[string, Parameters<typeof runtime.mounts.resolve>[2], string]> = [
    ['a relative destination', { Binds: ['/a:b'] }, 'mount path must be absolute'],
    ['the root', { Binds: ['/a:/'] }, "destination can't be '/'"],
    ['a relative source', { Binds: ['./a:/b'] }, 'neither an absolute path nor a volume name'],
    ['an unknown mode', { Binds: ['v1:/b:rx'] }, 'invalid mode: rx'],
    ['two accesses', { Binds: ['v1:/b:ro,rw'] }, 'invalid mode: ro,rw'],
    ['too many parts', { Binds: ['a:/b:ro:x'] }, 'invalid volume specification'],
    ['one place twice', { Binds: ['v1:/b', 'v2:/b/'] }, 'Duplicate mount point: /b'],
    [
      'a missing source',
      { Mounts: [{ Type: 'bind', Source: '/no/such', Target: '/b' }] },
      'invalid mount config for type "bind": bind source path does not exist: /no/such',
    ],
    [
      'a subpath that leads out',
      { Mounts: [{ Type: 'volume', Source: 'v1', Target: '/b', VolumeOptions: { Subpath: '../x' } }] },
      'subpath must be a relative path',
    ],
    [
      'an unknown driver',
      { Mounts: [{ Type: 'volume', Target: '/b', VolumeOptions: { DriverConfig: { Name: 'nfs' } } }] },
      'error looking up volume plugin nfs',
    ],
    ['an unknown type', { Mounts: [{ Type: 'npipe' as 'bind', Target: '/b' }] }, 'mount type unknown'],
  ]
  test.each(refused)('%s is refused', async (_, hostConfig, message) => {
    const resolving = runtime.mounts.resolve('c1', config, hostConfig)
    await expect(resolving).rejects.toThrow(message)
    await expect(resolving).rejects.toMatchObject({ kind: 'invalid' })
  })

  test('a mount may leave out what is mounted below, and say how a volume is made', async () => {
    const options = { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' }
    const points = await runtime.mounts.resolve('c1', config, {
      Mounts: [
        { Type: 'bind', Source: dataDir, Target: '/a', BindOptions: { NonRecursive: true } },
        ...(isRoot
          ? [
              {
                Type: 'volume' as const,
                Source: 'made',
                Target: '/b',
                VolumeOptions: { DriverConfig: { Name: 'local', Options: options } },
              },
            ]
          : []),
      ],
    })
    expect(points[0]?.Mode).toBe('bind-nonrecursive')
    if (!isRoot) return
    expect((await runtime.volumes.inspect('made')).Options).toEqual(options)
    await runtime.volumes.remove('made')
  })

  test('what is inherited gives way to what is asked for, not to the image', async () => {
    const inherited = ['/own', '/image', '/other'].map((Destination) => ({
      ...{
        Type: 'bind' as const,
        Source: '/donor',
        Destination,
        Mode: '',
        RW: true,
        Propagation: 'rprivate',
      },
    }))
    const asked = { Binds: [`${dataDir}:/own`] }
    const points = await runtime.mounts.resolve(
      'c1',
      { ...config, Volumes: { '/image': {} } },
      asked,
      inherited,
    )
    expect(points.map(({ Destination, Source }) => [Destination, Source])).toEqual([
      ['/image', '/donor'],
      ['/other', '/donor'],
      ['/own', dataDir],
    ])
  })

  test('a subpath follows links inside the volume only', async () => {
    const { Mountpoint } = await runtime.volumes.create({ Name: 'sub' })
    fs.symlinkSync('/etc', path.join(Mountpoint, 'link'))
    fs.mkdirSync(path.join(Mountpoint, 'etc'))
    const mount = { Type: 'volume' as const, Source: 'sub', Target: '/b', VolumeOptions: { Subpath: 'link' } }
    const [point] = await runtime.mounts.resolve('c1', config, { Mounts: [mount] })
    expect(point?.Source).toBe(path.join(Mountpoint, 'etc'))
  })
})

describe.runIf(isRoot)('as root', () => {
  test('a new volume gets the files of the image with owners, modes and links', async () => {
    const rootfs = path.join(dataDir, 'rootfs')
    const srv = path.join(rootfs, 'srv')
    fs.mkdirSync(path.join(srv, 'dir'), { recursive: true })
    fs.writeFileSync(path.join(srv, 'dir/file'), 'hello', { mode: 0o640 })
    fs.chownSync(path.join(srv, 'dir/file'), 1234, 2345)
    fs.linkSync(path.join(srv, 'dir/file'), path.join(srv, 'dir/again'))
    fs.symlinkSync('/etc/passwd', path.join(srv, 'link'))
    fs.chownSync(srv, 7, 8)
    fs.chmodSync(srv, 0o2750)
    // The destination is reached through a link that would lead out of the root.
    fs.symlinkSync('/srv', path.join(rootfs, 'data'))

    const points = await runtime.mounts.resolve('c1', config, { Binds: ['vol:/data'] })
    await runtime.mounts.populate(points, rootfs)
    const at = (name: string) => path.join(points[0]!.Source, name)
    expect(fs.readFileSync(at('dir/file'), 'utf8')).toBe('hello')
    expect(fs.statSync(at('dir/file'))).toMatchObject({ uid: 1234, gid: 2345, mode: 0o100640, nlink: 2 })
    expect(fs.readlinkSync(at('link'))).toBe('/etc/passwd')
    expect(fs.statSync(at('.'))).toMatchObject({ uid: 7, gid: 8, mode: 0o42750 })

    // Filled once: what the container removes stays removed.
    fs.rmSync(at('dir'), { recursive: true })
    fs.rmSync(at('link'))
    await runtime.mounts.populate(points, rootfs)
    expect(fs.readdirSync(at('.'))).toEqual([])
  })

  test('an empty folder gives its owner, a missing one nothing, nocopy neither', async () => {
    const rootfs = path.join(dataDir, 'rootfs')
    fs.mkdirSync(path.join(rootfs, 'empty'), { recursive: true })
    fs.chownSync(path.join(rootfs, 'empty'), 99, 99)
    const points = await runtime.mounts.resolve('c1', config, {
      Binds: ['va:/empty', 'vb:/missing', 'vc:/empty2:nocopy'],
    })
    fs.mkdirSync(path.join(rootfs, 'empty2/x'), { recursive: true })
    await runtime.mounts.populate(points, rootfs)
    const byName = (name: string) => points.find((p) => p.Name === name)!.Source
    expect(fs.statSync(byName('va')).uid).toBe(99)
    expect(fs.statSync(byName('vb')).uid).toBe(0)
    expect(fs.readdirSync(byName('vc'))).toEqual([])
  })

  test('what a crash left half-copied is copied anew', async () => {
    const rootfs = path.join(dataDir, 'rootfs')
    fs.mkdirSync(path.join(rootfs, 'srv'), { recursive: true })
    for (const name of ['a', 'b']) fs.writeFileSync(path.join(rootfs, 'srv', name), name)
    const points = await runtime.mounts.resolve('c1', config, { Binds: ['vol:/srv'] })
    const source = points[0]!.Source
    fs.writeFileSync(path.join(source, 'half'), '')
    runtime.close()
    const { openDatabase, collection } = await import('@kernel/state')
    const db = openDatabase(path.join(dataDir, 'db/volumes.db'))
    collection<object>(db, 'volumes').update('vol', (record) => ({ ...record, content: 'filling' }))
    db.close()
    runtime = await createVolumes({ dataDir, log, events })
    await runtime.mounts.populate(points, rootfs)
    expect(fs.readdirSync(source).sort()).toEqual(['a', 'b'])
  })

  test('a volume with mount options is mounted for use, and unmounted with its removal', async () => {
    const { Mountpoint } = await runtime.volumes.create({
      Name: 'mem',
      DriverOpts: { type: 'tmpfs', device: 'tmpfs', o: 'size=64k,uid=33' },
    })
    try {
      await runtime.mounts.resolve('c1', config, { Binds: ['mem:/x'] })
      expect(fs.statSync(Mountpoint).uid).toBe(33)
      expect(execFileSync('stat', ['-f', '-c', '%T', Mountpoint], { encoding: 'utf8' })).toBe('tmpfs\n')
      await runtime.volumes.remove('mem')
      expect(fs.existsSync(Mountpoint)).toBe(false)
    } finally {
      umountIfMounted(Mountpoint)
    }
  })
})
