/**
 * A warm push of the changed hello app: from `git push` to the new content served, and what each stage took.
 * Bar: under 3 s, median of 5.
 */
import { spawn } from 'node:child_process'
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { startKernel } from './kernel-daemon.ts'
import { createPusher } from './pusher.ts'
import { median, spread } from './statistics.ts'

const rounds = Number(process.argv[2] ?? 5)

interface Deploy {
  spans: Array<{ stage: string; ms: number }>
}

export async function benchPush(): Promise<void> {
  const ours = await startKernel()
  try {
    const { source, env, remote, commit } = createPusher(ours, 'hello')
    const samples: number[] = []
    const spans: Deploy['spans'][] = []
    for (let round = -1; round < rounds; round++) {
      const mark = `round ${round} of ${Date.now()}`
      commit(mark)
      const begun = performance.now()
      const push = spawn('git', ['push', '-q', remote, 'main'], { cwd: source, env, stdio: 'ignore' })
      const pushed = new Promise<number | null>((resolve) => push.once('close', resolve))
      while (!(await page(ours.http)).includes(mark)) await sleep(5)
      const took = performance.now() - begun
      if ((await pushed) !== 0) throw new Error('git push failed')
      const [deploy] = JSON.parse(
        ours.kernel('deploys:list', 'hello', '-n', '1', '--format', 'json'),
      ) as Deploy[]
      if (round < 0) continue
      samples.push(took)
      spans.push(deploy!.spans)
    }
    console.log('warm push of the changed hello app, until the new content is served')
    console.log(`  ${spread(samples)} (bar: 3000 ms)`)
    for (const { stage } of spans[0] ?? []) {
      const list = spans.flatMap((each) => each.filter((span) => span.stage === stage).map(({ ms }) => ms))
      console.log(`    ${stage.padEnd(8)} ${median(list).toFixed(0).padStart(5)} ms`)
    }
  } finally {
    await ours.stop()
  }
}

/** What the edge answers for the app; empty while there is nothing. */
function page(port: number): Promise<string> {
  return new Promise((resolve) => {
    const ask = request({ host: '127.0.0.1', port, headers: { host: 'hello.localhost' } }, (answer) => {
      let body = ''
      answer.setEncoding('utf8').on('data', (piece: string) => {
        body += piece
      })
      answer.on('end', () => resolve(answer.statusCode === 200 ? body : ''))
    })
    ask.on('error', () => resolve(''))
    ask.end()
  })
}

if (import.meta.main) await benchPush()
