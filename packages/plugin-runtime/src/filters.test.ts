import { expect, test } from 'vitest'
import { booleanFilter, checkFilters, matches, matchesLabels } from './filters.ts'

test('an unknown filter is refused by name', () => {
  expect(checkFilters({ name: ['x'] }, ['name'])).toEqual({ name: ['x'] })
  expect(checkFilters(undefined, [])).toEqual({})
  expect(() => checkFilters({ color: ['red'] }, ['name'])).toThrow("invalid filter 'color'")
})

test('values of a filter are alternatives', () => {
  const is = (value: string) => (wanted: string) => wanted === value
  expect(matches({ name: ['a', 'b'] }, 'name', is('b'))).toBe(true)
  expect(matches({ name: ['a', 'b'] }, 'name', is('c'))).toBe(false)
  expect(matches({}, 'name', is('c'))).toBe(true)
})

test('labels must all be there, and none of the refused ones', () => {
  const labels = { app: 'hello', tier: 'web=1' }
  expect(matchesLabels({ label: ['app', 'tier=web=1'] }, labels)).toBe(true)
  expect(matchesLabels({ label: ['app', 'tier=db'] }, labels)).toBe(false)
  expect(matchesLabels({ label: ['toString'] }, labels)).toBe(false)
  expect(matchesLabels({ 'label!': ['app=other'] }, labels)).toBe(true)
  expect(matchesLabels({ 'label!': ['app'] }, labels)).toBe(false)
})

test('a yes-or-no filter reads Go booleans', () => {
  expect(booleanFilter({ all: ['1'] }, 'all')).toBe(true)
  expect(booleanFilter({ all: ['False'] }, 'all')).toBe(false)
  expect(booleanFilter({}, 'all')).toBeUndefined()
  expect(() => booleanFilter({ all: ['maybe'] }, 'all')).toThrow("invalid filter 'all=maybe'")
  expect(() => booleanFilter({ all: ['0', '1'] }, 'all')).toThrow('both true and false')
})
