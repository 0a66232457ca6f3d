import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { authorizedKeysLine, writeAuthorizedKeys } from './authorized-keys.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'authorized-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const key = (name: string) => ({ name, fingerprint: '', publicKey: 'ssh-ed25519 AAAA', added: '' })
const command = { cli: ['/usr/bin/node', '/opt/it s/kernel.mjs'], host: 'unix:///run/k.sock' }

describe('authorizedKeysLine', () => {
  it('allows one command, and a terminal for it', () => {
    expect(authorizedKeysLine(key('ann'), { cli: ['/usr/bin/kernel'] })).toBe(
      'restrict,pty,command="/usr/bin/kernel ssh-exec --key ann" ssh-ed25519 AAAA ann',
    )
    expect(authorizedKeysLine(key('ann'), command)).toContain("'/opt/it s/kernel.mjs' ssh-exec --key ann\"")
  })
})

describe('writeAuthorizedKeys', () => {
  it('changes its own lines only', async () => {
    const file = join(dir, 'authorized_keys')
    writeFileSync(file, '# mine\nssh-rsa AAAA me')
    await writeAuthorizedKeys(file, [key('ann'), key('bob')], command)
    const lines = readFileSync(file, 'utf8').split('\n')
    expect(lines.slice(0, 2)).toEqual(['# mine', 'ssh-rsa AAAA me'])
    expect(lines.length).toBe(7)
    writeFileSync(file, `${readFileSync(file, 'utf8')}ssh-rsa BBBB later\n`)
    await writeAuthorizedKeys(file, [key('bob')], command)
    const text = readFileSync(file, 'utf8')
    expect(text).toContain('ssh-rsa BBBB later\n')
    expect(text).toContain('--key bob')
    expect(text).not.toContain('--key ann')
    await writeAuthorizedKeys(file, [], command)
    expect(readFileSync(file, 'utf8')).toBe('# mine\nssh-rsa AAAA me\nssh-rsa BBBB later\n')
  })

  it('makes the file where it is missing', async () => {
    const file = join(dir, 'authorized_keys')
    await writeAuthorizedKeys(file, [key('ann')], command)
    expect(readFileSync(file, 'utf8')).toContain('--key ann')
  })
})
