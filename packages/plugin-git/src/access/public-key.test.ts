import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { problemOf } from '@kernel/contracts'
import { openDatabase } from '@kernel/state'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createKeyStore } from './key-store.ts'
import { parsePublicKey } from './public-key.ts'

let dir: string
const file = (name: string) => readFileSync(join(dir, name), 'utf8')
const keygen = (...args: string[]) => execFileSync('ssh-keygen', args, { cwd: dir, encoding: 'utf8' })

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'keys-'))
  for (const [type, bits] of [
    ['ed25519', '256'],
    ['ecdsa', '384'],
    ['rsa', '2048'],
  ] as const)
    keygen('-q', '-t', type, '-b', bits, '-N', '', '-C', 'a comment', '-f', type)
  keygen('-q', '-t', 'rsa', '-b', '1024', '-N', '', '-f', 'weak')
  keygen('-q', '-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', '', '-f', 'pem')
})
afterAll(() => rmSync(dir, { recursive: true }))

const messageOf = (input: string) => {
  try {
    parsePublicKey(input)
  } catch (error) {
    return problemOf(error)?.message
  }
}

describe('parsePublicKey', () => {
  it.each(['ed25519', 'ecdsa', 'rsa'])('knows the fingerprint of %s', (type) => {
    const { fingerprint, text } = parsePublicKey(file(`${type}.pub`))
    expect(keygen('-l', '-f', `${type}.pub`)).toContain(` ${fingerprint} `)
    expect(file(`${type}.pub`)).toBe(`${text} a comment\n`)
  })

  it('names what is no public key', () => {
    expect(messageOf(file('ed25519'))).toBe(
      'This is a private key. It was not kept; never give it to anybody.',
    )
    expect(messageOf(file('pem'))).toContain('private key')
    expect(messageOf('PuTTY-User-Key-File-3: ssh-ed25519\n')).toContain('private key')
    expect(messageOf(keygen('-e', '-f', 'ed25519.pub'))).toContain("not in OpenSSH's form")
    expect(messageOf('')).toBe('No key was given.')
    expect(messageOf(file('ed25519.pub') + file('rsa.pub'))).toContain('more than one line')
    expect(messageOf(file('weak.pub'))).toContain('This RSA key has 1024 bits')
    expect(messageOf('ssh-dss AAAAB3NzaC1kc3M=')).toContain('DSA')
    expect(messageOf('sk-ssh-ed25519@openssh.com AAAA')).toContain('are not supported')
    expect(messageOf(`command="x" ${file('ed25519.pub')}`)).toContain('begins with options')
    expect(messageOf('hello')).toContain('no SSH public key')
  })

  it('refuses every key that is cut off or changed in its form', () => {
    const [type, base64 = ''] = file('ed25519.pub').split(' ')
    for (const length of [0, 10, 20, 30, base64.length - 4, base64.length - 1])
      expect(messageOf(`${type} ${base64.slice(0, length)}`)).toContain('damaged')
    expect(messageOf(`${type} ${base64}AAAA`)).toContain('damaged')
    expect(messageOf(`${type} ${file('rsa.pub').split(' ')[1]}`)).toContain('damaged')
    expect(messageOf(`${type} ${base64.replace(/.{5}$/, '*****')}`)).toContain('damaged')
  })
})

describe('the key store', () => {
  it('has each name and each key once', () => {
    using db = openDatabase(':memory:')
    const keys = createKeyStore(db)
    const added = keys.add('ann', file('ed25519.pub'))
    expect(keys.list()).toEqual([added])
    expect(() => keys.add('ann', file('rsa.pub'))).toThrow('There is a key named ann already')
    expect(() => keys.add('bob', file('ed25519.pub'))).toThrow('let in already, as ann')
    expect(() => keys.add('a b', file('rsa.pub'))).toThrow('no name for a key')
    expect(keys.find(parsePublicKey(file('ed25519.pub')).blob)?.name).toBe('ann')
    expect(keys.find(parsePublicKey(file('rsa.pub')).blob)).toBeUndefined()
    expect(() => keys.remove('bob')).toThrow('There is no SSH key bob')
    keys.remove(added.fingerprint)
    expect(keys.find(parsePublicKey(file('ed25519.pub')).blob)).toBeUndefined()
  })
})
