import { join } from 'node:path'
import { openDatabase } from '@kernel/state'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cacheKeeper, cacheMigrations, createBuildCache } from './cache.ts'
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

  it('what it had added to the cache goes, and what images were built with stays', async () => {
    const { images, dataDir } = runtime
    const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers' as const, diff_ids: [] } }
    const made = async (name: string) => {
      const labels = { config: { Labels: { name } } }
      return (await images.createImage({ ...config, ...labels }, { keep: cacheKeeper })).id
    }
    const db = openDatabase(join(dataDir, 'db', 'recover.db'), { migrations: cacheMigrations })
    const cache = createBuildCache(db, images)
    const [done, half, general, nameless] = await Promise.all(['a', 'b', 'c', 'd'].map(made))
    const finished = cache.session({ scoped: true, skip: false })
    finished.add('done', done!)
    finished.commit(done!)
    cache.session({ scoped: true, skip: false }).add('half', half!)
    cache.session({ scoped: false, skip: false }).add('general', general!)

    await cache.recover()
    const kept = await images.kept(cacheKeeper)
    expect(kept.includes(nameless!)).toBe(false)
    expect(new Set(kept)).toEqual(new Set([done, general]))
    expect(await finished.find('half')).toBeUndefined()
    db.close()
  })
})
