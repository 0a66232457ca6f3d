import { invalid } from '@kernel/contracts'

const units: Record<string, number> = { h: 3600, m: 60, s: 1, ms: 1e-3, us: 1e-6, µs: 1e-6, ns: 1e-9 }

/**
 * A moment in nanoseconds since 1970, as `since` and `until` take it: seconds, seconds with nanoseconds
 * (`1700000000.000000001`), RFC 3339, or a Go duration before now (`1h30m`). Empty or absent: undefined.
 * @param now milliseconds since 1970
 * @throws invalid
 */
export function parseTime(text: string | undefined, now = Date.now()): bigint | undefined {
  if (text === undefined || text === '') return undefined
  const [, seconds, fraction = ''] = /^(\d+)(?:\.(\d{1,9}))?$/.exec(text) ?? []
  if (seconds !== undefined) return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'))
  return parseDate(text) ?? parseDuration(text, now) ?? refuse(text)
}

function parseDate(text: string): bigint | undefined {
  const [, date, fraction = '', zone = 'Z'] =
    /^(\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?)?)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)?$/.exec(text) ?? []
  if (date === undefined) return undefined
  const milliseconds = Date.parse(date.includes('T') ? date + zone : `${date}T00:00:00${zone}`)
  return Number.isNaN(milliseconds)
    ? undefined
    : BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}

function parseDuration(text: string, now: number): bigint | undefined {
  if (!/^(\d+(\.\d+)?(h|ms|m|us|µs|ns|s))+$/.test(text)) return undefined
  let seconds = 0
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)/g))
    seconds += Number(count) * units[unit!]!
  return BigInt(now) * 1_000_000n - BigInt(Math.round(seconds * 1e6)) * 1000n
}

function refuse(text: string): never {
  throw invalid(`"${text}" is no time`, {
    hint: 'Use seconds since 1970, RFC 3339, or a duration such as 10m.',
  })
}

/** Seconds since 1970 of an RFC 3339 text, as Docker's lists have it. */
export function unixSeconds(text: string): number {
  const milliseconds = Date.parse(text)
  return Number.isNaN(milliseconds) ? 0 : Math.floor(milliseconds / 1000)
}
