/**
 * The bar of "Never down": 200 requests a second, kept and new connections mixed, with 20 WebSockets and 5 slow
 * downloads, through 20 pushes, 5 rollbacks, 5 config:set, 5 times scale up and down. Exits 1 where one request fails,
 * one download is cut, or one WebSocket ends without a close frame.
 *
 * Run: pnpm soak [--pushes N] [--rate N] [--seed N]
 */
import { parseArgs } from 'node:util'
import { Daemon } from '../harness/daemon.ts'
import { soak } from './changes.ts'

const { values } = parseArgs({
  options: {
    pushes: { type: 'string', default: '20' },
    rate: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
  },
})
const pushes = Number(values.pushes)
const quarter = Math.ceil(pushes / 4)
const begun = performance.now()
const seconds = () => ((performance.now() - begun) / 1000).toFixed(1)
const daemon = await Daemon.open()
let failed = true
try {
  const report = await soak(daemon, 'soak', {
    pushes,
    rollbacks: quarter,
    configs: quarter,
    scales: quarter,
    rate: Number(values.rate),
    seed: Number(values.seed),
    webSockets: 20,
    downloads: 5,
    downloadSeconds: 20,
    retireSec: 5,
    onChange: (text) => console.log(`${seconds().padStart(7)} s  ${text}`),
  })
  const closes = Object.entries(report.closes).map(([code, count]) => `${code}: ${count}`)
  console.log(`requests   ${report.requests}, failed ${report.failures.length}`)
  console.log(`latency    p50 ${report.p50} ms, p99 ${report.p99} ms, slowest ${report.slowest} ms`)
  console.log(`downloads  ${report.downloads}, cut ${report.cut.length}`)
  console.log(`WebSockets ${report.opened} opened, ${report.echoed} messages; closed by ${closes.join(', ')}`)
  for (const failure of [...report.failures, ...report.cut].slice(0, 50)) console.log(`  ${failure}`)
  failed = report.failures.length > 0 || report.cut.length > 0
  if (failed) console.log(daemon.logTail(60))
} finally {
  await daemon.close()
}
process.exit(failed ? 1 : 0)
