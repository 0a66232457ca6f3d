/**
 * Measures contenders in turns, so that what disturbs the machine disturbs them alike, and prints medians with the
 * ratio to the first.
 * @module
 */

export interface Contender {
  name: string
  /** Made anew before each run, outside the measured time. */
  prepare?: () => unknown
  run(prepared: never): unknown
}

export interface Subject {
  title: string
  /** How many things one run does: the result is the time for each. */
  units: number
  unit: string
  rounds?: number
}

export async function measure(subject: Subject, contenders: readonly Contender[]): Promise<void> {
  const { title, units, unit, rounds = 9 } = subject
  const times = contenders.map(() => [] as number[])
  for (let round = -2; round < rounds; round++) {
    for (const [i, { prepare, run }] of contenders.entries()) {
      const prepared = prepare?.()
      globalThis.gc?.()
      const start = performance.now()
      await run(prepared as never)
      if (round >= 0) times[i]!.push(performance.now() - start)
    }
  }
  const medians = times.map((all) => all.sort((a, b) => a - b)[all.length >> 1]!)
  console.log(`\n${title}`)
  for (const [i, { name }] of contenders.entries()) {
    const each = (medians[i]! / units) * 1e6
    const text =
      each < 1e4
        ? `${each.toFixed(0)} ns`
        : each < 1e7
          ? `${(each / 1e3).toFixed(1)} us`
          : `${(each / 1e6).toFixed(1)} ms`
    console.log(
      `  ${name.padEnd(44)} ${text.padStart(10)} / ${unit}   ${(medians[i]! / medians[0]!).toFixed(1)}x`,
    )
  }
}
