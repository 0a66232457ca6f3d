import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { splitPem } from './certs.ts'

const dir = mkdtempSync(join(tmpdir(), 'certs-'))
afterAll(() => rmSync(dir, { recursive: true }))

const pem = (kind: string, body: string) => `-----BEGIN ${kind}-----\n${body}\n-----END ${kind}-----\n`
const leaf = pem('CERTIFICATE', 'TEVBRg==')
const chain = pem('CERTIFICATE', 'Q0hBSU4=')
const key = pem('EC PRIVATE KEY', 'S0VZ')

describe('PEM', () => {
  it('is found in whatever holds it, in its order', () => {
    const expected = { certificate: leaf + chain, key }
    const parameters = pem('EC PARAMETERS', 'QQ==')
    expect(splitPem(Buffer.from(`# mine\n${leaf}${chain}${parameters}${key}`))).toEqual(expected)
    expect(splitPem(Buffer.from(`${key}junk${leaf}\n\n${chain}`))).toEqual(expected)
  })

  it.each(['cf', 'czf'])('is found in a tar archive (%s)', (flags) => {
    writeFileSync(join(dir, 'server.crt'), leaf + chain)
    writeFileSync(join(dir, 'server.key'), key)
    const archive = execFileSync('tar', [flags, '-', '-C', dir, 'server.crt', 'server.key'])
    expect(splitPem(archive)).toEqual({ certificate: leaf + chain, key })
  })

  it('that is not there is empty, and one key is enough', () => {
    expect(splitPem(Buffer.from('nothing'))).toEqual({ certificate: '', key: '' })
    expect(() => splitPem(Buffer.from(leaf + key + key))).toThrow(/2 private keys/)
  })

  it('does not unpack without end', () => {
    expect(() => splitPem(gzipSync(Buffer.alloc(64 << 20)))).toThrow()
  })
})
