import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacking, openTestRuntime } from './testing.ts'

const reason = lacking()
if (reason) console.log(`commit: images of real containers are skipped, this ${reason}`)

describe.runIf(!reason)('the image of a container', () => {
  let runtime: Awaited<ReturnType<typeof openTestRuntime>>
  beforeAll(async () => {
    runtime = await openTestRuntime()
    await runtime.addBusybox()
  })
  afterAll(() => runtime.dispose())

  /** What a shell line prints in a container of the image, which it leaves there stopped. */
  async function run(image: string, line: string, body: object = {}): Promise<{ id: string; text: string }> {
    const { containers } = runtime
    const { id } = await containers.create(undefined, { Image: image, Cmd: ['sh', '-c', line], ...body })
    const { output } = await containers.attach(id, { stdout: true, stderr: true, stream: true })
    const exit = containers.wait(id, 'next-exit')
    await containers.start(id)
    let text = ''
    for await (const { data } of output) text += Buffer.from(data).toString()
    await exit
    return { id, text: text.trim() }
  }

  it('holds its files and configuration, and leaves it as it was', async () => {
    const { id } = await run('busybox', 'echo kept > /kept; rm /bin/vi', {
      Env: ['A=1'],
      Labels: { team: 'x' },
      WorkingDir: '/tmp',
    })
    const before = await runtime.containers.changes(id)
    const commit = await runtime.builder.commit(id, {
      tag: 'made:1',
      comment: 'hey',
      author: 'me',
      changes: [
        'ENV B=2',
        'LABEL more=y',
        'CMD ["cat", "/kept"]',
        'EXPOSE 80',
        'USER web',
        'WORKDIR sub',
        '',
      ],
    })
    const image = await runtime.images.inspect('made:1')
    expect(image).toMatchObject({
      id: commit.id,
      parentId: (await runtime.images.inspect('busybox')).id,
      config: {
        author: 'me',
        config: {
          Env: ['PATH=/bin', 'A=1', 'B=2'],
          Labels: { team: 'x', more: 'y' },
          Cmd: ['cat', '/kept'],
          ExposedPorts: { '80/tcp': {} },
          User: 'web',
          WorkingDir: '/sub',
        },
      },
    })
    expect(image.config.config).not.toHaveProperty('Hostname')
    expect(image.config.history?.at(-1)).toMatchObject({
      comment: 'hey',
      created_by: expect.stringContaining('echo'),
    })
    const listed = (
      await run('made:1', 'cat /kept; ls /bin/vi', { User: 'root', HostConfig: { NetworkMode: 'none' } })
    ).text
    expect(listed).toContain('kept')
    expect(listed).toContain('/bin/vi: No such file')
    // What a start puts there to mount upon is no part of an image.
    const layer = await runtime.images.layerDir(image.diffIds.at(-1)!)
    expect(readdirSync(layer).sort()).toEqual(['bin', 'etc', 'kept'])
    expect(readdirSync(join(layer, 'etc'))).toEqual([])
    expect(await runtime.containers.changes(id)).toEqual(before)
  })

  it('is made of a running one while that stands still', async () => {
    const seen: string[] = []
    const stop = new AbortController()
    const told = (async () => {
      for await (const { Action, Actor } of runtime.events.subscribe({ signal: stop.signal })) {
        if (['pause', 'commit', 'unpause'].includes(Action))
          seen.push(`${Action} ${Actor.Attributes.imageRef ?? ''}`)
        if (Action === 'unpause') return
      }
    })()
    const { id } = await runtime.containers.create(undefined, { Image: 'busybox', Cmd: ['sleep', '600'] })
    await runtime.containers.start(id)
    const { id: image } = await runtime.builder.commit(id, {})
    await told
    expect(seen).toEqual(['pause ', 'commit ', 'unpause '])
    expect((await runtime.images.inspect(image)).repoTags).toEqual([])
    expect((await runtime.containers.inspect(id)).State.Status).toBe('running')
    stop.abort()
  })

  it('is refused where a change makes no sense', async () => {
    const { id } = await runtime.containers.create(undefined, { Image: 'busybox' })
    const before = (await runtime.images.list({ all: true })).length
    for (const [changes, message] of [
      [['FROM x'], /from is not a valid change command/],
      [['RUN x'], /run is not a valid change command/],
      [['NONSENSE x'], /unknown instruction: NONSENSE/],
    ] as const)
      await expect(runtime.builder.commit(id, { changes: [...changes] })).rejects.toMatchObject({
        kind: 'invalid',
        message: expect.stringMatching(message),
      })
    await expect(runtime.builder.commit(id, { tag: 'UPPER' })).rejects.toMatchObject({ kind: 'invalid' })
    await expect(runtime.builder.commit('nobody', {})).rejects.toMatchObject({ kind: 'not-found' })
    expect((await runtime.images.list({ all: true })).length).toBe(before)
  })

  it('is made of a tar as well, which may come from a server', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'import-'))
    mkdirSync(join(dir, 'sub'))
    writeFileSync(join(dir, 'sub/f'), 'imported')
    const tar = execFileSync('tar', ['-C', dir, '-cz', '.'])
    rmSync(dir, { recursive: true })
    const options = { tag: 'imported:1', message: 'from a test', changes: ['CMD ["x"]'], platform: 'arm64' }
    const { id } = await runtime.builder.importTar(Readable.from([tar]), options)
    const image = await runtime.images.inspect('imported:1')
    expect(image).toMatchObject({
      id,
      parentId: '',
      config: {
        architecture: 'arm64',
        os: 'linux',
        config: { Cmd: ['x'] },
        history: [{ comment: 'from a test' }],
      },
    })
    const layer = await runtime.images.layerDir(image.diffIds[0]!)
    expect(readFileSync(join(layer, 'sub/f'), 'utf8')).toBe('imported')

    const server = createServer((request, answer) => {
      if (request.url === '/there.tar') answer.end(tar)
      else answer.writeHead(404).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    try {
      const other = await runtime.builder.importTar({ url: `${url}/there.tar` }, {})
      expect((await runtime.images.inspect(other.id)).diffIds).toEqual(image.diffIds)
      await expect(runtime.builder.importTar({ url: `${url}/nope` }, {})).rejects.toThrow('answered 404')
    } finally {
      server.close()
    }
    await expect(runtime.builder.importTar(Readable.from(['no tar']), {})).rejects.toMatchObject({
      kind: 'invalid',
    })
    await expect(runtime.builder.importTar(Readable.from([tar]), { changes: ['RUN x'] })).rejects.toThrow(
      'valid change',
    )
  })
})
