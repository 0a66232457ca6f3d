import { schedulerSuite } from '@kernel/contracts/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBaseImage } from '../base-image/index.ts'
import { lacking, openTestRuntime } from '../build/testing.ts'
import { createArtifacts } from './artifacts.ts'
import { createContainerDriver } from './container-driver.ts'

const reason = lacking()
if (reason) console.log(`container driver: its suite is skipped, this ${reason}`)

describe.runIf(!reason)('keeps the contract of the scheduler', () => {
  let runtime: Awaited<ReturnType<typeof openTestRuntime>>
  beforeAll(async () => {
    runtime = await openTestRuntime()
  })
  afterAll(() => runtime.dispose())

  function open() {
    const { dataDir, images, containers, networks, builder, log } = runtime
    const baseImage = createBaseImage({ dataDir, images, log })
    const artifacts = createArtifacts({ images, builder, baseImage })
    return createContainerDriver({ containers, networks, artifacts, log })
  }

  // One runtime for all cases, emptied behind each: the base image takes seconds to make.
  const make = async () => {
    const driver = open()
    return {
      subject: driver,
      async close() {
        for (const { id } of await driver.list()) await driver.remove(id)
        for (const ref of await driver.listArtifacts!()) await driver.removeArtifact(ref)
      },
    }
  }
  for (const { name, run } of schedulerSuite(make)) it(name, run, 60_000)

  async function buildBase(driver: ReturnType<typeof open>): Promise<string> {
    const plan = {
      builder: 'test',
      dockerfile: { text: 'FROM kernel/base:latest\n' },
      processes: {},
    }
    const request = { app: 'a', buildId: 'b', dir: runtime.dataDir, plan, secretEnv: {} }
    return (await driver.build(request, () => {})).ref
  }

  it('gives a one-off a terminal of its size from the start', async () => {
    const driver = open()
    const ref = await buildBase(driver)
    const { id } = await driver.start({
      app: 'blog',
      releaseId: 'v1',
      processType: 'run',
      index: 1,
      name: 'blog.run.1',
      artifact: ref,
      env: {},
      command: ['stty', 'size'],
      oneOff: { tty: true, rows: 33, columns: 91 },
    })
    let text = ''
    for await (const { data } of (await driver.attach(id)).output) text += Buffer.from(data).toString()
    expect(text).toBe('33 91\r\n')
    await expect.poll(async () => (await driver.list()).length).toBe(0)
    await driver.removeArtifact(ref)
  })

  it('lets workloads find each other by name and process type', async () => {
    const driver = open()
    const ref = await buildBase(driver)
    const spec = { app: 'blog', releaseId: 'v1', processType: 'web', index: 1, artifact: ref, env: {} }
    const serve =
      'mkdir -p /tmp/www && echo found > /tmp/www/index.html && exec httpd -f -p $PORT -h /tmp/www'
    const web = await driver.start({
      ...spec,
      name: 'blog.web.1',
      port: 5000,
      command: ['/bin/sh', '-c', serve],
    })
    for (const name of ['blog.web.1', 'blog.web']) {
      const line = `until wget -q -O - http://${name}:5000/ 2>/tmp/error; do sleep 0.05; done`
      const { id } = await driver.start({
        ...spec,
        name: 'blog.ask.1',
        processType: 'ask',
        command: ['/bin/sh', '-c', line],
        oneOff: {},
      })
      let text = ''
      for await (const { data } of (await driver.attach(id)).output) text += Buffer.from(data).toString()
      expect(text).toBe('found\n')
      await expect.poll(async () => (await driver.list()).length).toBe(1)
    }
    await driver.remove(web.id)
    await driver.removeArtifact(ref)
  })

  it('leads nobody by a shared name to a workload in the freezer', async () => {
    const driver = open()
    const ref = await buildBase(driver)
    const spec = { app: 'blog', releaseId: 'v1', index: 1, artifact: ref, env: {} }
    const web = (name: string) => ({
      ...spec,
      processType: 'web',
      name: `blog.web.${name}`,
      port: 5000,
      command: ['sleep', '60'],
    })
    const old = await driver.start(web('old'))
    const fresh = await driver.start(web('fresh'))
    const ask = async () => {
      const { id } = await driver.start({
        ...spec,
        name: 'blog.ask.1',
        processType: 'ask',
        command: [
          'node',
          '-e',
          "require('dns').resolve4('blog.web', (error, all) => console.log(all.join(' ')))",
        ],
        oneOff: {},
      })
      let text = ''
      for await (const { data } of (await driver.attach(id)).output) text += Buffer.from(data).toString()
      await expect.poll(async () => (await driver.list()).length).toBe(2)
      return text.trim().split(' ').sort()
    }
    const addresses = [old, fresh].map(({ address }) => address!.host)
    expect(await ask()).toEqual([...addresses].sort())
    await driver.freeze!(old.id)
    expect(await ask()).toEqual([addresses[1]])
    await driver.freeze!(fresh.id)
    expect(await ask()).toEqual([...addresses].sort())
    await driver.thaw!(old.id)
    expect(await ask()).toEqual([addresses[0]])
    for (const { id } of [old, fresh]) await driver.remove(id)
    await driver.removeArtifact(ref)
  })

  it('brings back nothing that ends in the freezer, and what was thawed as before', async () => {
    const driver = open()
    const { containers } = runtime
    const ref = await buildBase(driver)
    const restart = { policy: 'on-failure', maxRetries: 7 } as const
    const { id } = await driver.start({
      ...{ app: 'blog', releaseId: 'v1', processType: 'worker', index: 1, name: 'blog.worker.1' },
      ...{ artifact: ref, env: {}, command: ['sleep', '60'], restart },
    })
    const policy = async () => (await containers.inspect(id)).HostConfig.RestartPolicy
    await driver.freeze!(id)
    expect(await policy()).toMatchObject({ Name: 'no' })
    await driver.thaw!(id)
    expect(await policy()).toEqual({ Name: 'on-failure', MaximumRetryCount: 7 })
    await driver.freeze!(id)
    const ended = driver.wait(id)
    // As the kernel does it for want of memory; it is no stop by hand.
    process.kill((await containers.inspect(id)).State.Pid, 'SIGKILL')
    await containers.unpause(id)
    expect((await ended).exitCode).toBe(137)
    expect(await driver.inspect(id)).toMatchObject({ status: 'exited', restartCount: 0 })
    await driver.remove(id)
    await driver.removeArtifact(ref)
  })
})
