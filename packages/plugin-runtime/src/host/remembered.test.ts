import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { HostFacts } from '../parts.ts'
import { probeHost } from './probe.ts'
import { rememberedHost } from './remembered.ts'

vi.mock('./probe.ts', () => ({ probeHost: vi.fn() }))
const probe = vi.mocked(probeHost)
const facts: HostFacts = { root: true, cgroup: 'v2', overlay: true, nft: true }

let dataDir: string
beforeEach(() => {
  dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'host-'))
  fs.mkdirSync(path.join(dataDir, 'run'))
  probe.mockReset().mockResolvedValue(facts)
})
afterEach(() => fs.rmSync(dataDir, { recursive: true, force: true }))

test('probes once, and again where something else is asked for', async () => {
  expect(await rememberedHost({ dataDir })).toEqual(facts)
  expect(await rememberedHost({ dataDir })).toEqual(facts)
  expect(probe).toHaveBeenCalledTimes(1)
  await rememberedHost({ dataDir, preferRuntime: 'runc' })
  expect(probe).toHaveBeenCalledTimes(2)
})

test('probes again what could not be had', async () => {
  probe.mockResolvedValueOnce({ ...facts, nft: false, reason: 'nftables: no' })
  expect((await rememberedHost({ dataDir })).reason).toBe('nftables: no')
  expect((await rememberedHost({ dataDir })).reason).toBeUndefined()
})

test('probes again where what it remembers can not be read', async () => {
  await rememberedHost({ dataDir })
  fs.writeFileSync(path.join(dataDir, 'run', 'host.json'), '{"key": "')
  expect(await rememberedHost({ dataDir })).toEqual(facts)
  expect(probe).toHaveBeenCalledTimes(2)
})
