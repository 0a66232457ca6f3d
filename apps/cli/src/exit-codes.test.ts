import type { ProblemKind } from '@kernel/contracts'
import { expect, it } from 'vitest'
import { exitCodeOf, exitCodes } from './exit-codes.ts'

it('has one code for one meaning', () => {
  const codes = Object.values(exitCodes).map(({ code }) => code)
  expect(new Set(codes).size).toBe(codes.length)
})

it.each<[ProblemKind, number]>([
  ['not-modified', 0],
  ['failed', 1],
  ['invalid', 2],
  ['not-found', 3],
  ['conflict', 4],
  ['denied', 5],
  ['unauthorized', 5],
  ['unavailable', 6],
  ['not-supported', 6],
  ['full', 7],
])('a problem of kind %s ends a command with %i', (kind, code) => expect(exitCodeOf(kind)).toBe(code))
