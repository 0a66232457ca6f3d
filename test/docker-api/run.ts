/**
 * The same calls to a real dockerd and to the product, side by side: `pnpm --filter @kernel/test docker-api`.
 * `--record` keeps dockerd's answers for the end-to-end test, and writes docs/docker-compat.md anew. Ends with 1
 * where an answer differs without a reason.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startDockerd } from '../bench/dockerd.ts'
import { Daemon } from '../harness/daemon.ts'
import { cases } from './cases.ts'
import { compare } from './compare.ts'
import { fixtures } from './fixtures.ts'
import { type Outcome, play } from './play.ts'
import { record, recorded } from './recorded.ts'
import { markdownReport, summarize, textReport } from './report.ts'

const version = '1.41'
const dir = mkdtempSync(join(tmpdir(), 'docker-api-'))

async function askDockerd(
  list: ReturnType<typeof cases>,
): Promise<{ peer: string; outcomes: Array<Outcome | string> }> {
  const dockerd = await startDockerd()
  if (!dockerd) {
    console.log('Compared with what a dockerd answered before.')
    return recorded(list)
  }
  try {
    const outcomes = await play(dockerd.host.replace('unix://', ''), version, list)
    return { peer: `dockerd ${dockerd.version}`, outcomes }
  } finally {
    await dockerd.stop()
  }
}

async function askOurs(list: ReturnType<typeof cases>): Promise<Array<Outcome | string>> {
  const daemon = await Daemon.open()
  try {
    return await play(daemon.socket, version, list)
  } finally {
    await daemon.close()
  }
}

try {
  const list = cases(await fixtures(dir))
  const { peer, outcomes } = await askDockerd(list)
  const comparisons = compare(list, outcomes, await askOurs(list))
  console.log(textReport(comparisons))
  if (process.argv.includes('--record')) {
    record(list, outcomes, peer)
    const doc = new URL('../../docs/docker-compat.md', import.meta.url)
    const [before, after] = readFileSync(doc, 'utf8').split(
      /(?<=<!-- generated -->\n)[\s\S]*(?=<!-- end -->)/,
    )
    writeFileSync(doc, `${before}\n${markdownReport(comparisons, peer)}\n\n${after}`)
  }
  if (summarize(comparisons).different > 0) process.exitCode = 1
} finally {
  rmSync(dir, { recursive: true, force: true })
}
