/**
 * `pnpm chaos [--rounds N] [--seed S] [--only OPERATION,...] [--from ROUND]`: kills the daemon at moments of chance,
 * and checks after each start that nothing is lost and nothing is left. See docs/benchmarks.md.
 */
import { parseArgs } from 'node:util'
import { operations, type Report, type Round, runChaos } from './chaos.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true, default: [] },
    from: { type: 'string', default: '1' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

const median = (list: number[]) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0

function tell({
  number,
  operation,
  killedAt,
  killedAgain,
  told,
  found,
  served,
  violations,
  complaints,
}: Round): void {
  const cells = [
    String(number).padStart(5),
    operation.padEnd(15),
    `${killedAt} ms`.padStart(8),
    (killedAgain === undefined ? '' : `${killedAgain} ms`).padStart(8),
    (told ? 'told' : 'not told').padEnd(8),
    found.padEnd(8),
    `${served} ms`.padStart(8),
    violations.length === 0 ? '' : `${violations.length} VIOLATIONS`,
  ]
  console.log(cells.join('  ').trimEnd())
  for (const violation of violations) console.log(`       ! ${violation}`)
  for (const line of complaints) console.log(`         ${line.slice(0, 400)}`)
}

function summary(report: Report, seed: number): number {
  const { rounds, pushes } = report
  const bad = rounds.filter(({ violations }) => violations.length > 0)
  const count = bad.reduce((sum, { violations }) => sum + violations.length, 0) + report.violations.length
  const served = rounds.map((round) => round.served)
  const ready = rounds.map((round) => round.ready)
  console.log(`\n${rounds.length} rounds with the seed ${seed}, ${count} violations`)
  for (const found of ['done', 'undone', 'between', 'neither'])
    console.log(`  ${found.padEnd(8)} ${rounds.filter((round) => round.found === found).length}`)
  console.log(
    `  ${rounds.filter((round) => round.killedAgain !== undefined).length} of them killed in the start as well`,
  )
  console.log(`  ${pushes} pushes after restarts, beside the rounds`)
  console.log(
    `  a visitor is served ${median(served)} ms after the start (median), ${Math.max(...served)} at most`,
  )
  console.log(`  the API answers after ${median(ready)} ms (median), ${Math.max(...ready)} at most`)
  console.log(`  after a SIGTERM and a start, a visitor is served after ${report.upgrade} ms`)
  for (const violation of report.violations) console.log(`  ! ${violation}`)
  for (const { number, operation } of bad)
    console.log(`  again: pnpm chaos --seed ${seed} --from ${number} --rounds 1   (${operation})`)
  return count
}

if (values.help) {
  console.log('pnpm chaos [--rounds N] [--seed S] [--only OPERATION,...] [--from ROUND]\n')
  console.log(`Operations: ${Object.keys(operations).join(', ')}`)
} else {
  const seed = Number(values.seed)
  console.log('round  operation        killed at    again  client    found      served')
  const report = await runChaos({
    rounds: Number(values.rounds),
    seed,
    only: values.only.flatMap((names) => names.split(',')),
    from: Number(values.from),
    onRound: tell,
  })
  process.exitCode = summary(report, seed) === 0 ? 0 : 1
}
