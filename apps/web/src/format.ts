/** Times and sizes as people read them. @module */
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })

/** `3 minutes ago` */
export function ago(time: string | undefined, now = Date.now()): string {
  if (!time) return ''
  const seconds = Math.round((Date.parse(time) - now) / 1000)
  const steps: Array<[Intl.RelativeTimeFormatUnit, number]> = [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ]
  for (const [unit, length] of steps)
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit)
  return relative.format(seconds, 'second')
}

/** Powers of 1000, as Docker prints them. */
export function bytes(count: number | undefined): string {
  if (count === undefined) return ''
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(count, 1)) / 3))
  return `${Number((count / 1000 ** step).toPrecision(3))} ${units[step]}`
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
