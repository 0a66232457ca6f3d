import { generateKeyPairSync } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { checkPair, covers } from './read-certificate.ts'
import { selfSigned } from './self-signed.ts'

type Pair = Awaited<ReturnType<typeof selfSigned>>
let one: Pair
let other: Pair
beforeAll(async () => {
  one = await selfSigned(['One.example.com', '*.one.example.com'])
  other = await selfSigned(['two.example.com'])
})

/** Why it is refused; never with anything of the key. */
function refusal(certificate: string, key: string): string {
  try {
    checkPair(certificate, key)
  } catch (error) {
    expect(error).toMatchObject({ kind: 'invalid' })
    const { message, hint } = error as { message: string; hint: string }
    for (const line of key.split('\n').filter((text) => text.length > 20))
      expect(message + hint).not.toContain(line)
    return `${message}. ${hint}`
  }
  throw new Error('it was taken')
}

describe('a certificate and its key', () => {
  it('are taken with what stands around them', () => {
    const { facts, key } = checkPair(`Bag Attributes\n${one.certificate}\n\n`, `${one.key}\n`)
    expect(facts.hosts).toEqual(['one.example.com', '*.one.example.com'])
    expect(facts.fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
    expect(key).toContain('BEGIN PRIVATE KEY')
  })

  it('are put in order: the one that the key is of goes first', () => {
    const { certificate } = checkPair(`${other.certificate}${one.certificate}`, one.key)
    expect(certificate.indexOf(one.certificate.trim())).toBe(0)
    expect(certificate).toContain(other.certificate.trim())
  })

  it.each<[string, () => [string, string], RegExp]>([
    ['no PEM', () => ['x', one.key], /no certificate in PEM.*BEGIN CERTIFICATE/],
    ['the two exchanged', () => [one.key, one.certificate], /private key: give the certificate first/],
    [
      'a broken one',
      () => ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', one.key],
      /1 of 1 can not be read/,
    ],
    ["another's key", () => [one.certificate, other.key], /not that of the certificate.*one\.example\.com/],
    ['no key', () => [one.certificate, ''], /no private key/],
    ['a public key', () => [one.certificate, '-----BEGIN PUBLIC KEY-----\nx'], /no private key/],
    [
      'a broken key',
      () => [one.certificate, '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----'],
      /can not be read/,
    ],
    [
      'an encrypted key',
      () => {
        const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
        const pem = privateKey.export({
          type: 'pkcs8',
          format: 'pem',
          cipher: 'aes-256-cbc',
          passphrase: 'x',
        })
        return [one.certificate, String(pem)]
      },
      /encrypted.*openssl pkey/,
    ],
  ])('are refused as %s', (_, given, words) => expect(refusal(...given())).toMatch(words))
})

it.each([
  [['a.example'], 'a.example', true],
  [['a.example'], 'b.example', false],
  [['*.example'], 'a.example', true],
  [['*.example'], 'b.a.example', false],
  [['*.example'], 'example', false],
  [['*.example'], '*.example', true],
  [['*.a.example'], '*.example', false],
])('%j covers %s: %s', (hosts, domain, expected) => expect(covers(hosts, domain)).toBe(expected))
