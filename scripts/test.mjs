/**
 * `npm test`: all set-up, then every check and test, with one summary at the end. `.ci/run` is this.
 * Names of checks as arguments run only those: `npm test -- lint unit`.
 */
import { spawn } from 'node:child_process'
import {
  build,
  checkNode,
  giveUp,
  installHostPackages,
  installWorkspace,
  root,
  step,
  toolEnv,
} from './setup.mjs'

const checks = [
  { name: 'lint', command: ['biome', 'check', '.'] },
  { name: 'types', command: ['turbo', 'run', 'typecheck', '--output-logs', 'errors-only'] },
  {
    name: 'import-law',
    command: ['depcruise', '--config', '.dependency-cruiser.cjs', 'packages', 'apps', 'test'],
  },
  { name: 'dead-code', command: ['knip', '--no-progress'] },
  { name: 'house-rules', command: ['node', 'scripts/house-rules.mjs'] },
  {
    name: 'unit',
    command: [
      'turbo',
      'run',
      'test',
      '--continue',
      '--concurrency',
      '2',
      '--output-logs',
      'full',
      '--log-order',
      'grouped',
    ],
  },
  { name: 'e2e', command: ['turbo', 'run', 'e2e', '--output-logs', 'full'] },
]

const asked = process.argv.slice(2)
const unknown = asked.find((name) => !checks.some((check) => check.name === name))
if (unknown) giveUp(`npm test does not know ${unknown}; it knows ${checks.map((c) => c.name).join(', ')}.`)

checkNode()
installHostPackages(['always', 'containers', 'tests'])
installWorkspace()
build({ everything: true })

const totals = { passed: 0, failed: 0, skipped: 0 }
/** Adds what a vitest summary line counts: `Tests  3 failed | 20 passed | 1 skipped (24)`. */
function count(output) {
  for (const line of output.replace(/\x1b\[[0-9;]*m/g, '').split('\n')) {
    const found = /^(?:\S+:test: |\S+:e2e: )?\s*Tests\s{2,}(.*)$/.exec(line)
    if (!found) continue
    for (const [, n, kind] of found[1].matchAll(/(\d+) (passed|failed|skipped)/g)) totals[kind] += Number(n)
  }
}

function runCheck({ name, command: [program, ...args] }) {
  step(name)
  const begun = performance.now()
  return new Promise((resolve) => {
    let output = ''
    const child = spawn(program, args, {
      cwd: root,
      env: { ...toolEnv(), FORCE_COLOR: '0' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (piece) => {
        output += piece
        process.stdout.write(piece)
      })
    child.once('error', (error) => {
      console.error(error.message)
      resolve({ name, ok: false, seconds: 0 })
    })
    child.once('close', (code) => {
      count(output)
      resolve({ name, ok: code === 0, seconds: (performance.now() - begun) / 1000 })
    })
  })
}

const results = []
for (const check of checks)
  if (asked.length === 0 || asked.includes(check.name)) results.push(await runCheck(check))

console.log('\n=====> Summary')
for (const { name, ok, seconds } of results)
  console.log(`       ${ok ? 'ok    ' : 'FAILED'} ${name.padEnd(12)} ${seconds.toFixed(1).padStart(7)} s`)
const failedChecks = results.filter((r) => !r.ok).length
console.log(
  `${totals.passed} passed, ${Math.max(totals.failed, failedChecks)} failed, ${totals.skipped} skipped`,
)
process.exit(failedChecks === 0 ? 0 : 1)
