import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { lacking, openTestRuntime } from '../build/testing.ts'

const reason = lacking()
if (reason) console.log(`joined: containers that refer to others are skipped, this ${reason}`)

describe.runIf(!reason)('a container that refers to another', () => {
  let runtime: Awaited<ReturnType<typeof openTestRuntime>>
  beforeAll(async () => {
    runtime = await openTestRuntime()
    await runtime.addBusybox()
  })
  afterEach(async () => {
    for (const { Id } of await runtime.containers.list({ all: true }))
      await runtime.containers.remove(Id, { force: true, volumes: true })
  })
  afterAll(() => runtime.dispose())

  const create = (name: string, body: object = {}) =>
    runtime.containers.create(name, { Image: 'busybox', Cmd: ['sleep', '600'], ...body })

  async function inside(name: string, line: string): Promise<string> {
    const exec = await runtime.containers.execCreate(name, {
      Cmd: ['sh', '-c', line],
      AttachStdout: true,
      AttachStderr: true,
    })
    const { output } = await runtime.containers.execStart(exec, { attach: true })
    let text = ''
    for await (const { data } of output) text += Buffer.from(data).toString()
    return text.trim()
  }

  it('has the volumes of the other, and keeps them when that goes', async () => {
    await create('donor', {
      Volumes: { '/anonymous': {} },
      HostConfig: { Binds: ['kept:/named', '/tmp:/fixed:ro', '/var:/own'] },
    })
    await runtime.containers.start('donor')
    await inside('donor', 'echo shared > /anonymous/f; echo named > /named/f')
    await create('heir', {
      Volumes: { '/anonymous': {} },
      HostConfig: { VolumesFrom: ['donor'], Binds: ['/etc:/own'] },
    })
    await create('reader', { HostConfig: { VolumesFrom: ['donor:ro'] } })
    const mounts = (await runtime.containers.inspect('heir')).Mounts
    const donated = (await runtime.containers.inspect('donor')).Mounts
    expect(mounts.map(({ Destination, Source, RW }) => [Destination, Source, RW]).sort()).toEqual(
      donated
        .map(({ Destination, Source, RW }) => [Destination, Destination === '/own' ? '/etc' : Source, RW])
        .sort(),
    )
    await runtime.containers.start('heir')
    await runtime.containers.start('reader')
    await runtime.containers.remove('donor', { force: true, volumes: true })
    expect(await inside('heir', 'cat /anonymous/f /named/f; echo x > /named/g && echo wrote')).toBe(
      'shared\nnamed\nwrote',
    )
    expect(await inside('reader', 'cat /anonymous/f; echo x > /named/h')).toMatch(
      /^shared\n.*Read-only file system/,
    )
    await runtime.containers.remove('heir', { force: true })
    await runtime.containers.remove('reader', { force: true })
    await runtime.volumes.remove('kept')
  })

  it('finds one that it is linked to by its alias, while that runs', async () => {
    await create('db')
    await create('web', { HostConfig: { Links: ['db:database'] } })
    await expect(runtime.containers.start('web')).rejects.toMatchObject({
      kind: 'failed',
      message: 'Cannot link to a non running container: /db AS /web/database',
    })
    await runtime.containers.start('db')
    await runtime.containers.start('web')
    const { IPAddress } = (await runtime.containers.inspect('db')).NetworkSettings
    expect(await inside('web', 'grep database /etc/hosts')).toMatch(new RegExp(`^${IPAddress}\\s`))
  })

  it('is refused where there is none, in a way that is not about the image', async () => {
    for (const [HostConfig, message] of [
      [{ VolumesFrom: ['nobody'] }, 'No such container: nobody'],
      [{ Links: ['nobody:x'] }, 'could not get container for nobody: No such container: nobody'],
      [{ Links: [':x'] }, 'bad format for links: :x'],
      [{ PidMode: 'container:nobody' }, 'No such container: nobody'],
      [{ NetworkMode: 'nobody' }, 'network nobody not found'],
      [{ VolumesFrom: ['nobody:zz'] }, 'invalid mode: zz'],
    ] as const)
      await expect(create('some', { HostConfig })).rejects.toMatchObject({ kind: 'invalid', message })
    expect(await runtime.containers.list({ all: true })).toEqual([])
    await expect(create('some', { Image: 'nobody' })).rejects.toMatchObject({ kind: 'not-found' })
  })
})
