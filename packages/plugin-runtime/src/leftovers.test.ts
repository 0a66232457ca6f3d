import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryLogger } from '@kernel/kernel/testing'
import { expect, it } from 'vitest'
import { removeLeftovers } from './leftovers.ts'

it('removes what a killed run had begun, and nothing of others', async () => {
  const tmp = mkdtempSync(join(tmpdir(), 'leftovers-'))
  try {
    for (const name of ['docker-build-a', 'base-image-b', 'process-build-c', 'overlay-d/merged', 'of-others'])
      mkdirSync(join(tmp, name), { recursive: true })
    writeFileSync(join(tmp, 'docker-build-a', 'file'), 'half a build')
    const log = memoryLogger()
    await removeLeftovers(tmp, log)
    expect(readdirSync(tmp)).toEqual(['of-others'])
    expect(log.entries).toEqual([])
  } finally {
    rmSync(tmp, { recursive: true })
  }
})
