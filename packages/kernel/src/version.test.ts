import fc from 'fast-check'
import semver from 'semver'
import { expect, test } from 'vitest'
import { satisfies } from './version.ts'

test.each([
  ['1.0.0', '^1', true],
  ['1.9.3', '^1.2.3', true],
  ['2.0.0', '^1.2.3', false],
  ['0.2.9', '^0.2.3', true],
  ['0.3.0', '^0.2.3', false],
  ['0.0.4', '^0.0.3', false],
  ['0.9.0', '^0', true],
  ['1.2.9', '~1.2', true],
  ['1.3.0', '~1.2', false],
  ['1.3.0', '~1', true],
  ['1.3.0', '>= 1.2 <2', true],
  ['1.2.9', '>1.2', false],
  ['1.3.0', '>1.2', true],
  ['1.2.9', '<=1.2', true],
  ['1.2.3', '=v1.2.3', true],
  ['1.2.3', '1.x', true],
  ['1.2.3', '2.*', false],
  ['9.9.9', '*', true],
  ['9.9.9', '', true],
  ['9.9.9', '>*', false],
  ['2.3.9', '1.2 - 2.3', true],
  ['2.4.0', '1.2 - 2.3', false],
  ['3.0.0', '^1 || ^3', true],
  ['2.0.0', '^1 || ^3', false],
  ['2.0.0-beta.1', '^2.0.0-beta.0', true],
])('%s in %s: %s', (version, range, expected) => {
  expect(satisfies(version, range)).toBe(expected)
})

test.each(['^one', '1.2.3.4', '>', '^1 nonsense'])('refuses the range %s', (range) => {
  expect(() => satisfies('1.0.0', range)).toThrow(/is not a semver range/)
})

test.each(['1', '1.2', 'x', '1.2.3.4'])('refuses the version %s', (version) => {
  expect(() => satisfies(version, '*')).toThrow(/is not a version/)
})

test('agrees with node-semver', () => {
  const part = fc.nat(3)
  const version = fc.tuple(part, part, part).map((parts) => parts.join('.'))
  const partial = fc.oneof(
    version,
    fc.tuple(part, part).map((parts) => parts.join('.')),
    part.map(String),
    fc.constantFrom('*', 'x', '1.x', '1.2.*', '0.X.x'),
  )
  const operator = fc.constantFrom('', '=', '^', '~', '>', '<', '>=', '<=', '>= ', '^ ')
  const single = fc.tuple(operator, partial).map((parts) => parts.join(''))
  const hyphen = fc.tuple(partial, partial).map((parts) => parts.join(' - '))
  const group = fc.oneof(
    fc.array(single, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(' ')),
    hyphen,
  )
  const range = fc.array(group, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(' || '))
  fc.assert(
    fc.property(version, range, (v, r) => {
      expect(satisfies(v, r)).toBe(semver.satisfies(v, r))
    }),
    { numRuns: 2000 },
  )
})
