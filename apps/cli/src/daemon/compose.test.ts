import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { validateConfig } from '@kernel/kernel'
import { expect, it } from 'vitest'
import { firstParty } from './compose.ts'
import { decideSettings } from './settings.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'compose-'))
const settings = { ...decideSettings({ dataDir, ssh: 'false' }, {}), config: { edge: { threads: 3 } } }

it('gives every plugin settings that it knows', async () => {
  for (const { plugin, config } of firstParty(settings, () => [])) await validateConfig(plugin, config)
  rmSync(dataDir, { recursive: true })
})

it('puts the section of a plugin on top', () => {
  const edge = firstParty(settings, () => []).find(({ plugin }) => plugin.name === 'edge')
  expect(edge?.config).toMatchObject({ dataDir, threads: 3, listen: settings.http, listenTls: [] })
})

it('names a slip of the pen in a section', async () => {
  const slip = { ...settings, config: { apps: { keepRelease: 3 } } }
  const apps = firstParty(slip, () => []).find(({ plugin }) => plugin.name === 'apps')!
  await expect(validateConfig(apps.plugin, apps.config)).rejects.toThrow(/keepRelease/)
})
