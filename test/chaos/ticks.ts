/** Logs of containers that count: no number is missing and none is there twice, however often the daemon died. @module */
import type { Lab } from './lab.ts'

/** The last numbers of each counter, by where they were read. */
export type Ticks = Record<string, number[]>

/** @param tail lines; `all` from the first */
export async function readTicks(lab: Lab, tail: number | 'all'): Promise<Ticks> {
  const { body } = await lab.answer('GET', `/containers/ticker/logs?stdout=1&tail=${tail}`)
  const limit = tail === 'all' ? '' : `&tail=${tail}`
  const app = await lab.answer('GET', `/api/v1/apps/bystander/logs?process=ticker.1${limit}`)
  const lines = app.body.toString('utf8').split('\n').filter(Boolean)
  return {
    'docker logs ticker': numbers(textOf(body)),
    'kernel logs bystander': numbers(
      lines.map((line) => (JSON.parse(line) as { data: string }).data).join(''),
    ),
  }
}

const numbers = (text: string) => [...text.matchAll(/^tick (\d+)$/gm)].map(([, number]) => Number(number))

/** Docker's frames: type, three zeros, length, payload. */
function textOf(frames: Buffer): string {
  let text = ''
  for (let at = 0; at + 8 <= frames.length; ) {
    const length = frames.readUInt32BE(at + 4)
    text += frames.toString('utf8', at + 8, at + 8 + length)
    at += 8 + length
  }
  return text
}

/** Gaps in each, and counters that stand still. `before`: what was read earlier. */
export function tickProblems(now: Ticks, before: Ticks = {}, first?: number): string[] {
  return Object.entries(now).flatMap(([where, list]) => {
    const gap = list.findIndex((number, at) => at > 0 && number !== (list[at - 1] ?? 0) + 1)
    const last = before[where]?.at(-1) ?? 0
    return [
      ...(gap > 0 ? [`${where}: ${list[gap]} comes after ${list[gap - 1]}`] : []),
      ...((list.at(-1) ?? 0) <= last ? [`${where}: it has not gone on after ${last}`] : []),
      ...(first !== undefined && list[0] !== first ? [`${where}: it begins with ${list[0]}`] : []),
    ]
  })
}
