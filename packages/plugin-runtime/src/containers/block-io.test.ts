import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { mknod, S_IF } from '@kernel/sys'
import { afterAll, describe, expect, test } from 'vitest'
import { blockIoOf } from './block-io.ts'

describe('limits of block devices', () => {
  const dir = fs.mkdtempSync(join(os.tmpdir(), 'block-io-'))
  afterAll(() => fs.rmSync(dir, { recursive: true }))

  test('nothing is nothing', () => {
    expect(blockIoOf({})).toBeUndefined()
    expect(blockIoOf({ BlkioWeight: 0, BlkioDeviceReadBps: null, BlkioWeightDevice: [] })).toBeUndefined()
  })

  test.skipIf(process.getuid?.() !== 0)('are given by the numbers of the device', () => {
    const Path = join(dir, 'disk')
    mknod(Path, S_IF.BLK | 0o600, 259, 70000)
    const device = { major: 259, minor: 70000 }
    expect(
      blockIoOf({
        BlkioWeight: 300,
        BlkioWeightDevice: [{ Path, Weight: 400 }],
        BlkioDeviceReadBps: [{ Path, Rate: 1024 }],
        BlkioDeviceWriteIOps: [{ Path, Rate: 7 }],
      }),
    ).toEqual({
      weight: 300,
      weightDevice: [{ ...device, weight: 400 }],
      throttleReadBpsDevice: [{ ...device, rate: 1024 }],
      throttleWriteIOPSDevice: [{ ...device, rate: 7 }],
    })
  })

  test('are refused for what is no block device', () => {
    const rate = (Path: string) => () => blockIoOf({ BlkioDeviceReadBps: [{ Path, Rate: 1 }] })
    expect(rate('/no/such')).toThrow('stat /no/such: no such file or directory')
    expect(rate('/dev/null')).toThrow('/dev/null is not a block device')
  })
})
