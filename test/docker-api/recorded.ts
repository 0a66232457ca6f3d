/** What dockerd answered, kept for machines and times without one. One line a call. @module */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Case } from './case.ts'
import type { Outcome } from './play.ts'

const file = new URL('dockerd.jsonl', import.meta.url)

const nameOf = ({ method, endpoint, note }: Case, index: number) => `${index} ${method} ${endpoint} ${note}`

export function record(list: Case[], outcomes: Array<Outcome | string>, peer: string): void {
  const lines = list.map((each, index) => {
    const outcome = outcomes[index]!
    // Messages hold ids, and are not compared.
    const kept = typeof outcome === 'string' ? outcome : { ...outcome, message: undefined }
    return JSON.stringify([nameOf(each, index), kept])
  })
  writeFileSync(file, `${[JSON.stringify(['peer', peer]), ...lines].join('\n')}\n`)
}

/** @throws Error where the cases are others than those that were recorded */
export function recorded(list: Case[]): { peer: string; outcomes: Array<Outcome | string> } {
  const [head, ...rows] = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as [string, Outcome | string])
  const stale = list.findIndex((each, index) => rows[index]?.[0] !== nameOf(each, index))
  if (stale >= 0 || rows.length !== list.length)
    throw new Error(
      `What dockerd answered was recorded for other calls, from number ${stale}: run \`pnpm --filter @kernel/test docker-api --record\``,
    )
  return { peer: String(head![1]), outcomes: rows.map(([, outcome]) => outcome) }
}
