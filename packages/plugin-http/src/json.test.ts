import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseJson, stringifyJson } from './json.ts'

it('carries every int64 through, and prints it as Go does', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      expect(stringifyJson(parseJson(`{"n":${value}}`))).toBe(`{"n":${value}}`)
    }),
  )
  expect(parseJson('[9223372036854771712, 9223372036854775807, 1.5, 3]')).toEqual([
    2 ** 63 - 4096,
    9223372036854775807n,
    1.5,
    3,
  ])
})

it('reads and writes everything else as JSON does', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(parseJson(stringifyJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})
