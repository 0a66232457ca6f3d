import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ssh2 from 'ssh2'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { hostKey } from './host-key.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'host-key-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const newPair = () => ssh2.utils.generateKeyPairSync('ed25519')

it('is made once, for its owner alone, and stays', async () => {
  const first = await hostKey(dir)
  const file = join(dir, 'ssh', 'host_ed25519')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(await hostKey(dir)).toEqual(first)
  expect(first.fingerprint).toMatch(/^SHA256:/)
})

it('is never a malformed one, which ssh2 makes of a public half that begins with a zero byte', async () => {
  const pairs = [{ private: 'malformed', public: 'malformed' }, newPair(), newPair()]
  const [, sound] = pairs
  const { privateKey } = await hostKey(dir, () => pairs.shift()!)
  expect(privateKey).toBe(sound?.private)
  expect(readFileSync(join(dir, 'ssh', 'host_ed25519.pub'), 'utf8')).toBe(`${sound?.public}\n`)
})
