/** What a comparison found, for the terminal and for docs/docker-compat.md. @module */
import type { Comparison } from './compare.ts'

export interface Summary {
  endpoints: number
  calls: number
  same: number
  explained: number
  different: number
  unknown: number
}

export function summarize(comparisons: Comparison[]): Summary {
  const count = (verdict: Comparison['verdict']) =>
    comparisons.filter((each) => each.verdict === verdict).length
  return {
    endpoints: new Set(comparisons.map(({ endpoint }) => endpoint)).size,
    calls: comparisons.length,
    same: count('same'),
    explained: count('explained'),
    different: count('different'),
    unknown: count('unknown'),
  }
}

/** One line an endpoint, then what differs. */
export function textReport(comparisons: Comparison[], quiet = false): string {
  const lines: string[] = []
  const endpoints = Map.groupBy(comparisons, ({ endpoint }) => endpoint)
  const width = Math.max(...[...endpoints.keys()].map((name) => name.length))
  if (!quiet)
    for (const [endpoint, calls] of endpoints) {
      const { same, explained, different, unknown } = summarize(calls)
      const rest = [
        explained && `${explained} differ, explained`,
        different && `${different} DIFFERENT`,
        unknown && `${unknown} not answered by dockerd`,
      ].filter(Boolean)
      lines.push(
        `${endpoint.padEnd(width)}  ${same}/${calls.length} same${rest.map((text) => `, ${text}`).join('')}`,
      )
    }
  for (const { name, verdict, details } of comparisons) {
    if (verdict === 'same' || (quiet && verdict !== 'different')) continue
    lines.push('', name, ...details.map(({ what, why }) => `    ${what}${why ? `: ${why}` : ''}`))
  }
  const { endpoints: number, calls, same, explained, different, unknown } = summarize(comparisons)
  lines.push(
    '',
    `${number} endpoints, ${calls} calls: ${same} the same, ${explained} differ with a reason, ${different} differ without, ${unknown} unanswered by dockerd`,
  )
  return lines.join('\n')
}

/** The part of docs/docker-compat.md that the run writes. */
export function markdownReport(comparisons: Comparison[], peer: string): string {
  const { endpoints, calls, same, explained } = summarize(comparisons)
  const byReason = new Map<string, Set<string>>()
  for (const { name, details } of comparisons)
    for (const { what, why } of details)
      if (why) {
        const where = byReason.get(why) ?? new Set()
        byReason.set(why, where.add(`\`${name}\`: ${what}`))
      }
  const shown = [...byReason].map(([why, where]) => {
    const calls = [...where].sort()
    const some = calls.slice(0, 3).join('; ')
    return `- ${why} (${some}${calls.length > 3 ? `; and ${calls.length - 3} more` : ''})`
  })
  const table = [...Map.groupBy(comparisons, ({ endpoint }) => endpoint)].map(([endpoint, of]) => {
    const counts = summarize(of)
    return `| \`${endpoint}\` | ${of.length} | ${counts.same} | ${counts.explained} |`
  })
  return [
    `Compared with ${peer} at version 1.41: ${endpoints} endpoints, ${calls} calls, ${same} answered alike, ${explained} otherwise for a reason.`,
    '',
    '### What differs, and why',
    '',
    ...shown,
    '',
    '### Call by call',
    '',
    '| Endpoint | Calls | Alike | Otherwise, for a reason |',
    '| --- | --- | --- | --- |',
    ...table,
  ].join('\n')
}
