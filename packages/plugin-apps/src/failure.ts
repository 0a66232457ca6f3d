/** Failures in words for the people who wait for a deploy. @module */
import { failed, type Problem, problemOf } from '@kernel/contracts'
import { describeError } from '@kernel/kernel'

/** The problem behind an error; anything else becomes `failed`, with the original as its cause. */
export function asProblem(error: unknown): Problem {
  return problemOf(error) ?? failed(describeError(error), { cause: error })
}

/** For a look at what may be gone: undefined where it is. */
export const orGone = (error: unknown): undefined => {
  if (problemOf(error)?.kind !== 'not-found') throw error
}

/** Nothing to do: what was to go is gone already. */
export const ignoreMissing = (error: unknown): void => {
  const kind = problemOf(error)?.kind
  if (kind !== 'not-found' && kind !== 'not-modified') throw error
}
