import { failed, type Problem, type ProblemKind, problemOf } from '@kernel/contracts'
import { describeError, type Logger } from '@kernel/kernel'

/** The one place that says which HTTP status a kind of failure has. */
export function httpStatusOf(kind: ProblemKind) {
  switch (kind) {
    case 'not-modified':
      return 304
    case 'invalid':
      return 400
    case 'unauthorized':
      return 401
    case 'denied':
      return 403
    case 'not-found':
      return 404
    case 'conflict':
      return 409
    case 'failed':
      return 500
    case 'not-supported':
      return 501
    case 'unavailable':
      return 503
    case 'full':
      return 507
  }
}

/** The problem that an error is, or the nearest to it: whatever is no problem of ours has failed. */
export function toProblem(error: unknown): Problem {
  return problemOf(error) ?? failed(describeError(error), { cause: error })
}

/** How an error looks to clients of the product's API; `message` is what Docker's clients read as well. */
export interface ProblemBody {
  kind: ProblemKind
  message: string
  hint: string
}

export function problemBody({ kind, message, hint }: Problem): ProblemBody {
  return { kind, message, hint }
}

/** The answer for a problem, in the product's form. */
export function problemResponse(problem: Problem, headers: Record<string, string> = {}): Response {
  const status = httpStatusOf(problem.kind)
  if (status === 304) return new Response(null, { status, headers })
  return Response.json(problemBody(problem), { status, headers })
}

/** Writes down what is no problem of ours: a fault of the program, which its users can do nothing about. */
export function logFault(log: Logger, error: unknown, request: { method: string; path: string }): void {
  if (problemOf(error) === undefined)
    log.error(`${request.method} ${request.path} failed: ${describeError(error)}`, { error })
}
