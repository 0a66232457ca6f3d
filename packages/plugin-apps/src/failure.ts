/** Failures in words for the people who wait for a deploy. @module */
import { statfsSync } from 'node:fs'
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

/**
 * The same for a deploy: a process that finds no room fails in words of its own, or without any, since its log finds
 * none either.
 * @param dir on the disk that is looked at
 */
export function deployProblem(error: unknown, dir: string): Problem {
  const problem = asProblem(error)
  if (problem.kind !== 'failed' || hasRoom(dir)) return problem
  return asProblem(Object.assign(new Error(problem.message, { cause: error }), { code: 'ENOSPC' }))
}

/** With less than this no deploy comes to its end; what failed may have given back a little by now. In bytes. */
const leastRoom = 16 << 20

function hasRoom(dir: string): boolean {
  const { bavail, bsize } = statfsSync(dir)
  return bavail * bsize > leastRoom
}

/** Nothing to do: what was to go is gone already. */
export const ignoreMissing = (error: unknown): void => {
  const kind = problemOf(error)?.kind
  if (kind !== 'not-found' && kind !== 'not-modified') throw error
}
