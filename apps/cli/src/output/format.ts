/** Numbers and times as people read them. @module */

/** Bytes in powers of 1000, as Docker prints sizes: `12.3MB`. */
export function bytes(count: number | undefined): string {
  if (count === undefined) return ''
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = count
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 ? value : Number(value.toPrecision(3))}${units[unit]}`
}

/** `3 minutes ago`, from an RFC 3339 time. */
export function ago(time: string | undefined, now = Date.now()): string {
  if (!time) return ''
  const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1000))
  const steps: Array<[name: string, seconds: number]> = [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
    ['second', 1],
  ]
  for (const [name, length] of steps)
    if (seconds >= length) {
      const count = Math.floor(seconds / length)
      return `${count} ${name}${count === 1 ? '' : 's'} ago`
    }
  return 'just now'
}

/** Milliseconds as `0.31s`. */
export const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)}s`

/** `web=1 worker=2` */
export const counts = (scale: Record<string, number>): string =>
  Object.entries(scale)
    .map(([type, count]) => `${type}=${count}`)
    .join(' ')
