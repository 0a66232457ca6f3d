import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { configHash, defaultsOf, exposedTcpPort, sameConfig, webPort } from './environment.ts'

describe('configHash', () => {
  it('is the same for the same pairs in any order, and for no others', () => {
    const name = fc.stringMatching(/^[A-Z_]{1,4}$/)
    const env = fc.dictionary(
      name,
      fc.string({ maxLength: 4 }).filter((text) => !text.includes('\0')),
      { maxKeys: 4 },
    )
    fc.assert(
      fc.property(env, env, (a, b) => {
        const shuffled = Object.fromEntries(Object.entries(a).reverse())
        expect(configHash(shuffled)).toBe(configHash(a))
        const equal = JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort())
        expect(sameConfig(a, b)).toBe(equal)
      }),
    )
  })
})

describe('defaultsOf', () => {
  it('names all that is missing, with the way to set it', () => {
    const declared = { A: {}, B: { required: true }, C: { required: false }, D: { value: 'd' }, E: {} }
    expect(() => defaultsOf(declared, { E: 'set' }, 'hello')).toThrow(
      'app.json requires A, B, and they are not set',
    )
    expect(defaultsOf(declared, { A: '', B: '', E: '', D: 'mine' }, 'hello')).toEqual({})
  })
})

it('exposed ports: the lowest TCP one', () => {
  expect(exposedTcpPort({ '9000/tcp': {}, '53/udp': {}, '8080': {} })).toBe(8080)
  expect(exposedTcpPort(undefined)).toBeUndefined()
})

it('port of web: config, image, 5000', () => {
  expect(webPort({ PORT: '80' }, 8080)).toBe(80)
  expect(webPort({}, 8080)).toBe(8080)
  expect(webPort({}, undefined)).toBe(5000)
  for (const PORT of ['', 'x', '0', '65536', '80.5'])
    expect(() => webPort({ PORT }, 80)).toThrow(/is no port/)
})
