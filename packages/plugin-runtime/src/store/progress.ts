/** Lines of Docker's progress streams. Source: moby `pkg/jsonmessage`, `JSONProgress.String`. @module */
import type { ProgressMessage } from '@kernel/contracts'

const units = ['B', 'kB', 'MB', 'GB', 'TB']

/** A line with a bar; `total` 0: it isn't known. */
export function progressLine(status: string, id: string, current: number, total: number): ProgressMessage {
  const progressDetail = total > 0 ? { current, total } : { current }
  return { status, progressDetail, progress: bar(current, total), id }
}

/** A line that says only where a layer is. */
export function statusLine(status: string, id: string): ProgressMessage {
  return { status, progressDetail: {}, id }
}

function bar(current: number, total: number): string {
  if (total <= 0) return humanSize(current).padStart(8)
  const done = Math.min(Math.floor((current / total) * 50), 50)
  const numbers =
    current > total ? humanSize(current).padStart(8) : `${humanSize(current).padStart(8)}/${humanSize(total)}`
  return `[${'='.repeat(done)}>${' '.repeat(50 - done)}] ${numbers}`
}

/** Go's `units.HumanSize`: four significant digits, powers of 1000. */
export function humanSize(bytes: number): string {
  let [size, unit] = [bytes, 0]
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000
    unit++
  }
  return `${Number(size.toPrecision(4))}${units[unit]}`
}
