import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { lacking, openTestRuntime } from '../build/testing.ts'

const reason = lacking()
if (reason) console.log(`archive: copies of real containers are skipped, this ${reason}`)

async function* once(bytes: Uint8Array) {
  yield bytes
}

describe.runIf(!reason)('copies from and to containers', () => {
  let runtime: Awaited<ReturnType<typeof openTestRuntime>>
  const scratch = fs.mkdtempSync(join(os.tmpdir(), 'archive-'))
  const { signal } = new AbortController()

  beforeAll(async () => {
    runtime = await openTestRuntime()
    await runtime.addBusybox()
  })
  afterEach(async () => {
    for (const { Id } of await runtime.containers.list({ all: true }))
      await runtime.containers.remove(Id, { force: true, volumes: true })
  })
  afterAll(async () => {
    await runtime.dispose()
    fs.rmSync(scratch, { recursive: true })
  })

  const create = async (body: object = {}) =>
    (await runtime.containers.create(undefined, { Image: 'busybox', Cmd: ['sleep', '600'], ...body })).id

  /** A tar of these files: path -> content. */
  function tarOf(files: Record<string, string>, ...flags: string[]): Uint8Array {
    const dir = fs.mkdtempSync(join(scratch, 'tree-'))
    for (const [path, content] of Object.entries(files)) {
      fs.mkdirSync(join(dir, path, '..'), { recursive: true })
      if (path.endsWith('/')) fs.mkdirSync(join(dir, path), { recursive: true })
      else fs.writeFileSync(join(dir, path), content)
    }
    return execFileSync('tar', ['-C', dir, '-c', ...flags, '.'], { maxBuffer: 64 << 20 })
  }

  async function bytesOf(tar: AsyncIterable<Uint8Array>): Promise<Buffer> {
    const pieces: Uint8Array[] = []
    for await (const piece of tar) pieces.push(piece)
    return Buffer.concat(pieces)
  }

  /** The names in a tar, as they are. */
  const names = async (tar: AsyncIterable<Uint8Array>) =>
    String(execFileSync('tar', ['-t', '-P'], { input: await bytesOf(tar) }))
      .trim()
      .split('\n')

  const read = async (id: string, path: string) =>
    (await runtime.containers.archiveRead(id, path, signal)).tar

  const content = async (id: string, path: string) =>
    String(execFileSync('tar', ['-x', '-O'], { input: await bytesOf(await read(id, path)) }))

  async function inside(id: string, line: string): Promise<string> {
    const exec = await runtime.containers.execCreate(id, {
      Cmd: ['sh', '-c', line],
      AttachStdout: true,
      AttachStderr: true,
    })
    const { output } = await runtime.containers.execStart(exec, { attach: true })
    let text = ''
    for await (const { data } of output) text += Buffer.from(data).toString()
    return text.trim()
  }

  const write = (id: string, path: string, tar: Uint8Array, options = {}) =>
    runtime.containers.archiveWrite(id, path, once(tar), options)

  it.each(['created', 'running', 'stopped'])('go both ways while it is %s', async (state) => {
    await runtime.volumes.create({ Name: 'store' })
    const hostFolder = fs.mkdtempSync(join(scratch, 'bind-'))
    const id = await create({ HostConfig: { Binds: ['store:/vol', `${hostFolder}:/vol/deep/bind`] } })
    if (state !== 'created') await runtime.containers.start(id)
    if (state === 'stopped') await runtime.containers.stop(id, { timeoutSec: 0 })
    const tar = tarOf({ 'a/b': 'text', c: '' }, '--owner=77', '--group=88')
    await write(id, '/tmp', tar)
    await write(id, '/vol', tarOf({ v: 'in the volume' }))
    await write(id, '/vol/deep/bind', tarOf({ b: 'on the host' }))
    expect(await content(id, '/tmp/a/b')).toBe('text')
    expect(await names(await read(id, '/tmp/a'))).toEqual(['a/', 'a/b'])
    expect(await names(await read(id, '/tmp/a/.'))).toEqual(['./', './b'])
    expect(await content(id, '/vol/v')).toBe('in the volume')
    expect(fs.readFileSync(join(hostFolder, 'b'), 'utf8')).toBe('on the host')
    expect(await names(await read(id, '/vol'))).toEqual([
      'vol/',
      'vol/deep/',
      'vol/deep/bind/',
      'vol/deep/bind/b',
      'vol/v',
    ])
    expect(await runtime.containers.archiveStat(id, '/vol/v')).toMatchObject({ name: 'v', size: 13 })
    if (state !== 'running') await runtime.containers.start(id)
    expect(await inside(id, 'stat -c "%u:%g" /tmp/a/b; cat /tmp/a/b /vol/v /vol/deep/bind/b')).toBe(
      '77:88\ntextin the volumeon the host',
    )
    await runtime.containers.remove(id, { force: true })
    await runtime.volumes.remove('store')
  })

  it('see what only a running container has, and its links lead nowhere else', async () => {
    const id = await create({ HostConfig: { Tmpfs: { '/mem': '' } } })
    await runtime.containers.start(id)
    await inside(
      id,
      'echo kept > /mem/f; ln -s /mem /tmp/link; ln -s /../../../../etc /tmp/out; mkdir /etc/own; echo mine > /etc/own/f',
    )
    expect(await content(id, '/tmp/link/f')).toBe('kept\n')
    expect(await names(await read(id, '/tmp/link'))).toEqual(['link'])
    expect(await names(await read(id, '/tmp/link/'))).toEqual(['link/', 'link/f'])
    expect(await content(id, '/tmp/out/own/f')).toBe('mine\n')
    await write(id, '/tmp/out/own', tarOf({ g: 'new' }))
    expect(fs.existsSync('/etc/own')).toBe(false)
    expect(await inside(id, 'cat /etc/own/g')).toBe('new')
    // A link that stands in a tar's way is followed inside only, as well.
    await inside(id, 'mkdir /tmp/t; ln -s /etc/own /tmp/t/d')
    await write(
      id,
      '/tmp/t',
      execFileSync('tar', ['-C', scratch, '-c', '--transform=s,.*,d/h,', '/etc/hostname']),
    )
    expect(await inside(id, 'ls /etc/own')).toBe('f\ng\nh')
  })

  it('replace what stands there, or refuse to', async () => {
    const id = await create()
    await write(id, '/tmp', tarOf({ 'dir/f': '1', file: '2' }))
    await expect(write(id, '/tmp', tarOf({ 'file/x': '' }), { keepKinds: true })).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('cannot overwrite non-directory "/tmp/file" with directory'),
    })
    await expect(write(id, '/tmp', tarOf({ dir: '' }), { keepKinds: true })).rejects.toThrow(
      'cannot overwrite directory "/tmp/dir" with non-directory',
    )
    await write(id, '/tmp', tarOf({ dir: 'now a file', 'file/x': 'now a folder' }))
    expect(await content(id, '/tmp/dir')).toBe('now a file')
    expect(await content(id, '/tmp/file/x')).toBe('now a folder')
    await write(id, '/tmp', new Uint8Array())
    await expect(write(id, '/tmp', Buffer.from('no tar at all'.repeat(100)))).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringMatching(/^Error processing tar file: /),
    })
    await expect(write(id, '/tmp/nope', tarOf({}))).rejects.toThrow('Could not find the file /tmp/nope')
    const owned = await create({ User: 'web' })
    await write(owned, '/tmp', tarOf({ f: '' }, '--owner=5'), { asUser: true })
    await runtime.containers.start(owned)
    expect(await inside(owned, 'stat -c %u:%g /tmp/f')).toBe('1000:1001')
  })

  it('write nothing where the container may not either', async () => {
    await runtime.volumes.create({ Name: 'fixed' })
    const id = await create({
      HostConfig: { ReadonlyRootfs: true, Binds: ['fixed:/ro:ro'], Tmpfs: { '/mem': '' } },
    })
    await runtime.containers.start(id)
    await expect(write(id, '/tmp', tarOf({ f: '' }))).rejects.toMatchObject({
      kind: 'denied',
      message: 'container rootfs is marked read-only',
    })
    await expect(write(id, '/ro', tarOf({ f: '' }))).rejects.toMatchObject({
      kind: 'denied',
      message: 'mounted volume is marked read-only',
    })
    await write(id, '/mem', tarOf({ f: 'there' }))
    expect(await content(id, '/mem/f')).toBe('there')
    await runtime.containers.remove(id, { force: true })
    await runtime.volumes.remove('fixed')
  })

  it('end with the reader, and leave the container free', async () => {
    const id = await create()
    await write(id, '/tmp', tarOf({ big: 'x'.repeat(4 << 20) }))
    const stop = new AbortController()
    const { tar } = await runtime.containers.archiveRead(id, '/tmp', stop.signal)
    const iterator = tar[Symbol.asyncIterator]()
    expect((await iterator.next()).done).toBe(false)
    stop.abort()
    await runtime.containers.start(id)
    expect((await runtime.containers.inspect(id)).State.Running).toBe(true)
    await iterator.return?.()
  })

  it('tell what a container changed, and nothing that the engine did', async () => {
    const id = await create({ HostConfig: { Binds: [`${scratch}:/mounted`] } })
    await runtime.containers.start(id)
    expect(await runtime.containers.changes(id)).toEqual([{ Path: '/mounted', Kind: 1 }])
    await inside(id, 'rm /bin/vi; echo x >> /etc/group; mkdir /new; touch /new/f; rm -r /root; mkdir /root')
    const wanted = [
      { Path: '/bin', Kind: 0 },
      { Path: '/bin/vi', Kind: 2 },
      { Path: '/etc', Kind: 0 },
      { Path: '/etc/group', Kind: 0 },
      { Path: '/mounted', Kind: 1 },
      { Path: '/new', Kind: 1 },
      { Path: '/new/f', Kind: 1 },
      { Path: '/root', Kind: 0 },
    ]
    expect(await runtime.containers.changes(id)).toEqual(wanted)
    await runtime.containers.stop(id, { timeoutSec: 0 })
    expect(await runtime.containers.changes(id)).toEqual(wanted)
    const exported = await names(await runtime.containers.exportTar(id, signal))
    expect(exported).toEqual(expect.arrayContaining(['bin/busybox', 'etc/group', 'new/f']))
    expect(exported.filter((name) => /^(bin\/vi|\.|mounted\/.+)$/.test(name))).toEqual([])
  })
})
