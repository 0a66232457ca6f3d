/** Plays the cases on one engine. @module */
import { callEngine } from './call.ts'
import type { Case } from './case.ts'
import { parseBody, type Shape, shapeOf } from './shape.ts'

export interface Outcome {
  status: number
  headers: Record<string, string>
  /** Of the body; absent where it is no JSON, or is not compared. */
  shape?: Shape
  /** dockerd's message, or ours: to be read, not compared. */
  message?: string
}

/** What came of each case; a text where no answer came. */
export async function play(
  socketPath: string,
  version: string,
  cases: Case[],
  progress?: (done: number) => void,
): Promise<Array<Outcome | string>> {
  const kept = new Map<string, string>()
  const outcomes: Array<Outcome | string> = []
  for (const [index, each] of cases.entries()) {
    const path = encodeURI(each.path.replace(/\{(\w+)\}/g, (whole, name: string) => kept.get(name) ?? whole))
    try {
      const { status, headers, body } = await callEngine(socketPath, each.version ?? version, {
        ...each,
        path,
      })
      const value = parseBody(body.toString('utf8'), each.stream)
      for (const [name, field] of Object.entries(each.keep ?? {}))
        kept.set(name, String((value as Record<string, unknown> | undefined)?.[field]))
      const { message } = (value ?? {}) as { message?: string }
      outcomes.push({
        status,
        headers,
        ...(value !== undefined && !each.ignoreBody && { shape: shapeOf(value) }),
        ...(typeof message === 'string' && { message }),
      })
    } catch (error) {
      outcomes.push((error as Error).message)
    }
    progress?.(index + 1)
  }
  return outcomes
}
