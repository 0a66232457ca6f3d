/**
 * The edge under fuzz, in full: `pnpm fuzz [SEED] [COUNT]`. 100,000 connections for the parser beside llhttp, and a
 * fraction of that over sockets, with hostile targets and over HTTP/2. Exits 1 on any disagreement or crash.
 * @module
 */
import { fuzzHttp2 } from '../src/proxy/fuzz/http2-fuzz.ts'
import { fuzzParser } from '../src/proxy/fuzz/parser-fuzz.ts'
import { fuzzTargets } from '../src/proxy/fuzz/target-fuzz.ts'
import { fuzzVisitors } from '../src/proxy/fuzz/visitor-fuzz.ts'

const [seed = Math.floor(Math.random() * 2 ** 31), count = 100_000] = process.argv.slice(2).map(Number)
const MIB = 1 << 20
/** What fuzzers and oracle have thrown away lies in the same process as the edge, and is not what is asked for. */
const rss = () => {
  globalThis.gc?.()
  return Math.round(process.memoryUsage.rss() / MIB)
}
let failures = 0

/** Runs once short, to warm up, and then in full; so that memory is compared with what a warm process has. */
async function run<T extends object>(
  name: string,
  full: number,
  fuzz: (seed: number, count: number) => Promise<T>,
) {
  await fuzz(seed + 1, Math.ceil(full / 10))
  const before = rss()
  const begun = performance.now()
  const report = await fuzz(seed, full)
  const seconds = ((performance.now() - begun) / 1000).toFixed(0)
  const figures: string[] = []
  const bad: string[] = []
  for (const [key, value] of Object.entries(report)) {
    if (Array.isArray(value))
      bad.push(...value.map((one) => (typeof one === 'string' ? one : JSON.stringify(one, null, 2))))
    if (key === 'hung' && typeof value === 'number' && value > 0) bad.push(`${value} requests hung`)
    if (key === 'unanswered' && value > 0) bad.push(`${value} connections went without an answer`)
    figures.push(`${key} ${Array.isArray(value) ? value.length : value}`)
  }
  console.log(`${name} (${seconds} s): ${figures.join(', ')}; memory ${before} -> ${rss()} MiB`)
  for (const text of bad.slice(0, 10)) console.log(`  ${text.slice(0, 2_000)}`)
  failures += bad.length
}

console.log(`seed ${seed}, ${count} connections`)
await run('parser', count, fuzzParser)
await run('visitors', Math.ceil(count / 5), fuzzVisitors)
await run('targets', Math.ceil(count / 10), fuzzTargets)
await run('http2', Math.ceil(count / 50), fuzzHttp2)
process.exit(failures === 0 ? 0 : 1)
