/** `--device-read-bps` and its kin: limits of single block devices. @module */
import fs from 'node:fs'
import { failed, type HostConfig } from '@kernel/contracts'
import { splitDevice } from '@kernel/sys'
import type { OciResources } from './oci-types.ts'

type BlockIo = NonNullable<OciResources['blockIO']>
type Throttle = NonNullable<BlockIo['throttleReadBpsDevice']>[number]

const THROTTLES = {
  BlkioDeviceReadBps: 'throttleReadBpsDevice',
  BlkioDeviceWriteBps: 'throttleWriteBpsDevice',
  BlkioDeviceReadIOps: 'throttleReadIOPSDevice',
  BlkioDeviceWriteIOps: 'throttleWriteIOPSDevice',
} as const

/** The OCI form; undefined where nothing is asked for. @throws failed where a device is none */
export function blockIoOf(host: HostConfig): BlockIo | undefined {
  const io: BlockIo = {}
  if (typeof host.BlkioWeight === 'number' && host.BlkioWeight > 0) io.weight = host.BlkioWeight
  const weights = listOf<{ Path: string; Weight: number }>(host.BlkioWeightDevice)
  if (weights.length > 0)
    io.weightDevice = weights.map(({ Path, Weight }) => ({ ...deviceOf(Path), weight: Weight }))
  for (const [field, name] of Object.entries(THROTTLES)) {
    const limits = listOf<{ Path: string; Rate: number }>(host[field])
    if (limits.length > 0)
      io[name] = limits.map(({ Path, Rate }): Throttle => ({ ...deviceOf(Path), rate: Rate }))
  }
  return Object.keys(io).length > 0 ? io : undefined
}

const listOf = <T>(value: unknown): T[] => (Array.isArray(value) ? (value as T[]) : [])

function deviceOf(path: string): { major: number; minor: number } {
  const stat = fs.statSync(path, { bigint: true, throwIfNoEntry: false })
  if (!stat) throw failed(`stat ${path}: no such file or directory`)
  if (!stat.isBlockDevice()) throw failed(`${path} is not a block device`)
  return splitDevice(stat.rdev)
}
