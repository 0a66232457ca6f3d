/** Sets two engines' answers side by side. @module */
import type { Case } from './case.ts'
import type { Outcome } from './play.ts'
import { reasonFor } from './reasons.ts'
import { differences } from './shape.ts'

export interface Comparison {
  /** `GET /containers/{id}/json (unknown name)`. */
  name: string
  endpoint: string
  /** `unknown`: the peer gave no answer, which says nothing about ours. */
  verdict: 'same' | 'explained' | 'different' | 'unknown'
  /** What differs, with the reason where there is one. */
  details: Array<{ what: string; why?: string }>
  /** Fields and headers that only ours has: newer versions of the API brought them. */
  more: string[]
}

export function compare(
  list: Case[],
  theirs: Array<Outcome | string>,
  ours: Array<Outcome | string>,
): Comparison[] {
  return list.map((each, index) => compareOne(each, theirs[index] ?? 'not asked', ours[index] ?? 'not asked'))
}

function compareOne(each: Case, theirs: Outcome | string, ours: Outcome | string): Comparison {
  const endpoint = `${each.method} ${each.endpoint}`
  const name = each.note ? `${endpoint} (${each.note})` : endpoint
  if (typeof ours === 'string')
    return { name, endpoint, verdict: 'different', details: [{ what: `no answer: ${ours}` }], more: [] }
  if (typeof theirs === 'string')
    return {
      name,
      endpoint,
      verdict: 'unknown',
      details: [{ what: `dockerd gave no answer: ${theirs}` }],
      more: [],
    }
  const all = outcomeDifferences(theirs, ours)
  const details = all
    .filter((what) => !what.startsWith('+'))
    .map((what) => {
      const why = reasonFor(name, what)
      return { what, ...(why && { why }) }
    })
  const verdict =
    details.length === 0 ? 'same' : details.every(({ why }) => why !== undefined) ? 'explained' : 'different'
  return { name, endpoint, verdict, details, more: all.filter((what) => what.startsWith('+')) }
}

/** A different status says it all; bodies of failures are a message in any case. */
function outcomeDifferences(theirs: Outcome, ours: Outcome): string[] {
  if (theirs.status !== ours.status) return [`status ${theirs.status}, ours ${ours.status}`]
  const names = Object.keys({ ...theirs.headers, ...ours.headers })
  const headers = names.flatMap((name) => {
    const [a, b] = [theirs.headers[name], ours.headers[name]]
    if (a === b) return []
    return a === undefined ? [`+header ${name}`] : [`header ${name}: ${a}, ours ${b ?? 'none'}`]
  })
  if (theirs.shape === undefined && ours.shape === undefined) return headers
  if (theirs.shape === undefined || ours.shape === undefined)
    return [...headers, `body: ${theirs.shape ? 'JSON' : 'no JSON'}, ours ${ours.shape ? 'JSON' : 'none'}`]
  return [...headers, ...differences(theirs.shape, ours.shape)]
}
