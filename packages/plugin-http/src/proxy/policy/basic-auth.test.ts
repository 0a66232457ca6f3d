import { randomBytes, scryptSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { BasicAuth } from './basic-auth.ts'

const hashOf = (password: string, [N, r, p]: [number, number, number] = [1024, 8, 1]) => {
  const salt = randomBytes(16)
  const hash = scryptSync(password, salt, 32, { N, r, p })
  return `scrypt$${N}$${r}$${p}$${salt.toString('base64')}$${hash.toString('base64')}`
}
const basic = (name: string, password: string) =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
const users = { ann: hashOf('correct horse'), bob: hashOf('pässwörd:with:colons'), empty: hashOf('') }
const open = (more: Record<string, string> = {}) =>
  new BasicAuth({ realm: 'shop', users: { ...users, ...more } })

describe('basic authentication', () => {
  it.each([
    ['ann', 'correct horse', true],
    ['ann', 'correct hors', false],
    ['ann', '', false],
    ['bob', 'pässwörd:with:colons', true],
    ['empty', '', true],
    ['Ann', 'correct horse', false],
    ['nobody', 'correct horse', false],
    ['__proto__', 'x', false],
  ])('of %s with %j is %s', async (name, password, right) => {
    expect(await open().check(basic(name, password))).toBe(right)
  })

  it.each([
    undefined,
    '',
    'Basic',
    'Basic ',
    'Basic !!!',
    'Bearer YW5uOng=',
    `Basic ${Buffer.from('no colon').toString('base64')}`,
    `Basic ${Buffer.from(':no name').toString('base64')}`,
    basic('ann', 'x'.repeat(5000)),
  ])('refuses %j at once', (header) => expect(open().check(header)).toBe(false))

  it('takes the scheme in any case', async () => {
    expect(await open().check(basic('ann', 'correct horse').replace('Basic', 'bAsIc'))).toBe(true)
  })

  it('answers at once what was right before, and never what was wrong', async () => {
    const auth = open()
    const right = basic('ann', 'correct horse')
    const wrong = basic('ann', 'wrong')
    expect(auth.check(right)).toBeInstanceOf(Promise)
    expect(await auth.check(right)).toBe(true)
    expect(auth.check(right)).toBe(true)
    expect(await auth.check(wrong)).toBe(false)
    expect(auth.check(wrong)).toBeInstanceOf(Promise)
    expect(open().check(right)).toBeInstanceOf(Promise)
  })

  it('hashes the same credentials once where they come side by side', async () => {
    const auth = open()
    const right = basic('ann', 'correct horse')
    expect(auth.check(right)).toBe(auth.check(right))
    expect(await auth.check(right)).toBe(true)
  })

  it('hashes for a name that nobody has as for one that somebody has', async () => {
    const unknown = open().check(basic('nobody', 'x'))
    expect(unknown).toBeInstanceOf(Promise)
    expect(await unknown).toBe(false)
    const alone = new BasicAuth({ realm: 'x', users: {} })
    expect(await alone.check(basic('ann', 'x'))).toBe(false)
  })

  it('bounds what waits, and serves on afterwards', async () => {
    const auth = open()
    const answers = Array.from({ length: 200 }, (_, n) => auth.check(basic('ann', `wrong ${n}`)))
    expect(answers.filter((answer) => answer === false).length).toBeGreaterThan(100)
    expect(new Set(await Promise.all(answers))).toEqual(new Set([false]))
    expect(await auth.check(basic('ann', 'correct horse'))).toBe(true)
  })

  it.each([
    'plain',
    'scrypt$1000$8$1$c2FsdHNhbHQ=$aGFzaGhhc2hoYXNoaGFzaA==',
    'scrypt$1073741824$8$1$c2FsdHNhbHQ=$aGFzaGhhc2hoYXNoaGFzaA==',
    'scrypt$1024$8$1$$',
    'bcrypt$1024$8$1$c2FsdHNhbHQ=$aGFzaGhhc2hoYXNoaGFzaA==',
  ])('lets nobody in by the hash %s', async (hash) => {
    expect(await open({ eve: hash }).check(basic('eve', ''))).toBe(false)
  })

  it('takes costs beyond the default of Node', async () => {
    const auth = open({ max: hashOf('x', [16_384, 8, 2]) })
    expect(await auth.check(basic('max', 'x'))).toBe(true)
  })

  it('has a challenge that no realm breaks out of', () => {
    expect(open().challenge).toBe('Basic realm="shop", charset="UTF-8"')
    expect(new BasicAuth({ realm: 'a"b\\c\r\nX: y', users: {} }).challenge).toBe(
      'Basic realm="a\\"b\\\\cX: y", charset="UTF-8"',
    )
  })
})
