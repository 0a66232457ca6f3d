import { createHash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import {
  BaseImage,
  Containers,
  Events,
  Images,
  Ledger,
  Networks,
  Scheduler,
  Volumes,
} from '@kernel/contracts'
import { memoryLogger, setupPlugin } from '@kernel/kernel/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createEvents } from './events/index.ts'
import plugin from './index.ts'
import { createNetworks } from './networks/index.ts'

describe.skipIf(process.getuid?.() !== 0 || !fs.existsSync('/usr/bin/conmon'))(
  'the plugin',
  { timeout: 60_000 },
  () => {
    let dataDir: string
    beforeEach(() => {
      dataDir = fs.realpathSync(fs.mkdtempSync(join(os.tmpdir(), 'runtime-')))
    })
    afterEach(async () => {
      const events = createEvents({ file: ':memory:' })
      const instance = createHash('sha256').update(dataDir).digest('hex').slice(0, 8)
      const networks = await createNetworks({ dataDir, log: memoryLogger(), events, instance })
      await networks.purge()
      await networks.close()
      events.close()
      fs.rmSync(dataDir, { recursive: true, force: true })
    })

    test('provides the whole runtime, and starts again over the same data', async () => {
      for (let round = 0; round < 2; round++) {
        const { provided, stop } = await setupPlugin(plugin, { config: { dataDir } })
        expect(await provided(Containers).list({ all: true })).toEqual([])
        expect(await provided(Images).list()).toEqual([])
        expect((await provided(Networks).list()).map(({ Name }) => Name).toSorted()).toEqual([
          'bridge',
          'host',
          'none',
        ])
        expect(await provided(Volumes).list()).toHaveLength(round)
        expect(await provided(Scheduler).describe()).toMatchObject({ driver: 'container', isolated: true })
        expect(provided(BaseImage)).toBeDefined()
        await provided(Volumes).create({ Name: `v${round}` })
        expect((await provided(Ledger).entries()).filter(({ kind }) => kind === 'volume')).toHaveLength(
          round + 1,
        )
        const past = provided(Events).subscribe({ since: 1n, until: BigInt(Date.now() + 1000) * 1_000_000n })
        for await (const { Action } of past) {
          expect(Action).toBe('create')
          break
        }
        await stop()
      }
    })

    test('runs apps as processes where that is asked for', async () => {
      const { provided, stop } = await setupPlugin(plugin, { config: { dataDir, driver: 'process' } })
      expect(await provided(Scheduler).describe()).toMatchObject({ driver: 'process', isolated: false })
      expect(await provided(Containers).list()).toEqual([])
      await stop()
    })
  },
)
