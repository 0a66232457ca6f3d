import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacking, openTestRuntime } from './testing.ts'
import { newBuildKey, removeUnfinished, stepLabel } from './unfinished.ts'

const reason = lacking()
if (reason) console.log(`what builds leave behind is not tested, this ${reason}`)

describe.runIf(!reason)('after a build that was cut off', () => {
  let runtime: Awaited<ReturnType<typeof openTestRuntime>>
  beforeAll(async () => {
    runtime = await openTestRuntime()
    await runtime.addBusybox()
  })
  afterAll(() => runtime.dispose())

  it('its containers and snapshots go, and those of others stay', async () => {
    const { containers, snapshots, images, log } = runtime
    const { config } = await images.ensure('busybox:latest', () => {})
    await snapshots.prepare(newBuildKey(), config.rootfs.diff_ids)
    const mounted = newBuildKey()
    await snapshots.prepare(mounted, config.rootfs.diff_ids)
    await snapshots.mount(mounted)
    const step = await containers.create(undefined, {
      Image: 'busybox:latest',
      Cmd: ['sleep', '600'],
      Labels: { [stepLabel]: 'true' },
    })
    await containers.start(step.id)
    const other = await containers.create(undefined, { Image: 'busybox:latest' })

    await removeUnfinished({ containers, snapshots, log })
    expect((await containers.list({ all: true })).map(({ Id }) => Id)).toEqual([other.id])
    // Containers are buried in the background.
    await expect.poll(() => snapshots.keys()).toEqual([other.id])
    expect(log.entries.filter(({ level }) => level === 'warn')).toEqual([])
  })
})
