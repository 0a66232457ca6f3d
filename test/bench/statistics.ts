/** Medians of samples in milliseconds, printed as a table. */
export function median(samples: number[]): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export const ms = (value: number): string => `${value.toFixed(0)} ms`

export function spread(samples: number[]): string {
  return `${ms(median(samples))} (${ms(Math.min(...samples))} to ${ms(Math.max(...samples))}, n=${samples.length})`
}
