import fs from 'node:fs'
import { join } from 'node:path'
import { collection, openDatabase } from '@kernel/state'
import { isMountPoint } from '@kernel/sys'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ContainersService, createContainers } from './containers.ts'
import type { ContainerRecord, Intent } from './record.ts'
import type { Garbage } from './registry.ts'
import { type Bench, createBench, lacking, runtimes, until } from './testing.ts'

const [runtime] = runtimes()

describe.skipIf(lacking() !== '' || !runtime)(
  'a start finishes what a kill has cut off',
  { timeout: 60_000 },
  () => {
    let bench: Bench
    let containers: ContainersService

    beforeEach(async () => {
      bench = createBench(runtime!)
      containers = await createContainers(bench.options)
      await containers.restore()
    })
    afterEach(async () => {
      for (const { Id } of await containers.list({ all: true })) await containers.remove(Id, { force: true })
      await containers.close()
      bench.dispose()
    })

    const start = async (HostConfig = {}) => {
      const line = 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done'
      const body = { Image: 'busybox', Cmd: ['sh', '-c', line], HostConfig }
      const { id } = await containers.create(undefined, body)
      await containers.start(id)
      return id
    }
    const state = async (id: string) => (await containers.inspect(id)).State

    /** The daemon ends; `change` is what a kill would have left in its database. */
    async function restart(change: (db: ReturnType<typeof openDatabase>) => void): Promise<void> {
      await containers.close()
      const db = openDatabase(join(bench.dataDir, 'db', 'containers.db'))
      change(db)
      db.close()
      containers = await createContainers(bench.options)
      await containers.restore()
    }
    const restartWith = (id: string, intent: Intent) =>
      restart((db) => {
        collection<ContainerRecord>(db, 'containers').update(
          id,
          (record) => record && { ...record, intent, manuallyStopped: true },
        )
      })

    test('a stop', async () => {
      const id = await start({ RestartPolicy: { Name: 'unless-stopped' } })
      await restartWith(id, { kind: 'stop', timeoutSec: 5 })
      await until('the end', async () => (await state(id)).Status === 'exited')
      expect(await state(id)).toMatchObject({ ExitCode: 9, Running: false })
      // It is over: another start does nothing more.
      await containers.start(id)
      await restart(() => {})
      expect(await state(id)).toMatchObject({ Running: true })
    })

    test.each([{}, { AutoRemove: true }])(
      'a restart, whether or not it had ended: %o',
      async (hostConfig) => {
        const [running, ended] = [await start(hostConfig), await start(hostConfig)]
        const before = await Promise.all([state(running), state(ended)])
        await restart((db) => {
          const stored = collection<ContainerRecord>(db, 'containers')
          for (const id of [running, ended])
            stored.update(
              id,
              (record) => record && { ...record, intent: { kind: 'restart' }, manuallyStopped: true },
            )
          process.kill(before[1]!.Pid, 'SIGKILL')
        })
        for (const [at, id] of [running, ended].entries())
          await until('the restart', async () => {
            const now = await state(id)
            return now.Running && now.Pid !== before[at]!.Pid
          })
      },
    )

    test('a removal', async () => {
      const id = await start()
      await restartWith(id, { kind: 'remove', volumes: true })
      await until('the removal', async () => (await containers.list({ all: true })).length === 0)
      await until('its files', () => !fs.existsSync(join(bench.dataDir, 'containers', id)))
    })

    test('a container that was being made is gone', async () => {
      const id = 'c'.repeat(64)
      const places = ['containers', 'roots', 'mounts'].map((name) => join(bench.dataDir, name, id))
      await restart((db) => {
        collection<Garbage>(db, 'container-garbage').put(id, { id, removeVolumes: true })
        for (const place of places) fs.mkdirSync(place, { recursive: true })
      })
      await until('its places', () => !places.some((place) => fs.existsSync(place)))
    })

    test('remains of what was removed are gone, as is the mount of what had ended', async () => {
      const { id } = await containers.create(undefined, { Image: 'busybox', Cmd: ['true'] })
      const root = await bench.options.snapshots.mount(id)
      const half = join(bench.dataDir, 'containers', `.${id}.0123abcd.0123456789ab.tmp`)
      await restart(() => fs.mkdirSync(half))
      expect(isMountPoint(root)).toBe(false)
      await until('the remains', () => !fs.existsSync(half))
    })
  },
)
