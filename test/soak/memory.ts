/**
 * The daemon's memory: 2 GB up and 2 GB down through the edge add less than 64 MiB at any time; and after 1,000,000
 * requests and 100 deploys it is within 10 % of what it was after the first hundredth. Exits 1 where it is not.
 *
 * Run: pnpm memory [--requests N] [--deploys N] [--gigabytes N]
 */
import { parseArgs } from 'node:util'
import { Daemon } from '../harness/daemon.ts'
import { Repository } from '../harness/repository.ts'
import { bodyApp, download, upload } from './bodies.ts'
import { sendMany } from './many-requests.ts'
import { peakDuring, type Resident, settled } from './resident.ts'

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000000' },
    deploys: { type: 'string', default: '100' },
    gigabytes: { type: 'string', default: '2' },
  },
})
const requests = Number(values.requests)
const deploys = Number(values.deploys)
const bytes = Number(values.gigabytes) * 2 ** 30
const MOST_GROWTH_MIB = 64
const MOST_RATIO = 1.1

let failures = 0
const say = (what: string, good: boolean) => {
  if (!good) failures++
  console.log(`${what}${good ? '' : '  MISSED'}`)
}
const show = ({ rss, pss }: Resident) => `${rss.toFixed(0)} MiB (PSS ${pss.toFixed(0)})`

async function large(daemon: Daemon): Promise<void> {
  const pid = daemon.process!.pid!
  const url = daemon.url('memory')
  for (const [what, work] of [
    ['upload', () => upload(url, bytes, false)],
    ['upload in chunks', () => upload(url, bytes, true)],
    ['download', () => download(url, bytes)],
  ] as const) {
    const before = await settled(pid)
    const begun = performance.now()
    const { peak } = await peakDuring(pid, work)
    const rate = bytes / 2 ** 20 / ((performance.now() - begun) / 1000)
    const growth = Math.max(0, peak - before.rss)
    const line = `${what} of ${values.gigabytes} GiB at ${rate.toFixed(0)} MiB/s: ${show(before)}, at most ${growth.toFixed(0)} MiB more`
    say(line, growth < MOST_GROWTH_MIB)
  }
}

/** A share of all requests, and of all deploys beside them. */
async function share(daemon: Daemon, part: number): Promise<void> {
  const url = daemon.url('memory')
  let over = false
  const sending = sendMany({ url, count: Math.round(requests * part), connections: 32, renewAfter: 40 })
  const done = sending.finally(() => {
    over = true
  })
  for (let n = 0; n < Math.round(deploys * part); n++) {
    await daemon.kernel(['ps:restart', 'memory'])
    if (over) await done
  }
  await done
}

const daemon = await Daemon.open()
try {
  const repository = await Repository.create(daemon, 'memory', bodyApp())
  await repository.deploy()
  await daemon.kernel(['checks:set', 'memory', 'wait-to-retire', '5'])
  const pid = daemon.process!.pid!
  if (bytes > 0) await large(daemon)
  if (requests > 0) {
    await share(daemon, 0.01)
    const first = await settled(pid)
    console.log(`after ${requests / 100} requests and ${Math.round(deploys / 100)} deploy: ${show(first)}`)
    for (let part = 1; part <= 9; part++) {
      await share(daemon, 0.11)
      const now = await settled(pid)
      const line = `after ${Math.round(requests * (0.01 + part * 0.11))} requests and ${Math.round(deploys * (0.01 + part * 0.11))} deploys: ${show(now)}`
      if (part < 9) console.log(line)
      else
        say(
          `${line}, ${((now.rss / first.rss - 1) * 100).toFixed(1)} % more (bar 10)`,
          now.rss < first.rss * MOST_RATIO,
        )
    }
  }
} finally {
  await daemon.close()
}
process.exit(failures === 0 ? 0 : 1)
