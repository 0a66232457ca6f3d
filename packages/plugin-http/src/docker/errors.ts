import { httpStatusOf, toProblem } from '../errors.ts'
import { answerJson } from './json.ts'

/** An error as Docker's clients expect it: the status of its kind, and `{"message"}`. */
export function dockerError(error: unknown): Response {
  const problem = toProblem(error)
  const status = httpStatusOf(problem.kind)
  // 304 (running already, stopped already) has no body by HTTP's rules.
  if (status === 304) return new Response(null, { status })
  return answerJson({ message: problem.message }, status)
}
