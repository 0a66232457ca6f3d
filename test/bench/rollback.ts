/**
 * Rollback to a kept release, from the command to the new content served by the edge: with a start of new
 * processes, and from the freezer; each through the daemon's API and through the built command line, by turns.
 * Bars: medians of 10 under 1 s with a start, under 100 ms from the freezer (through the API; the command line
 * adds its own start).
 */
import { spawn } from 'node:child_process'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { type BenchDaemon, kernelBin, startKernel } from './kernel-daemon.ts'
import { createPusher } from './pusher.ts'
import { median, spread } from './statistics.ts'

const rounds = Number(process.argv[2] ?? 10)

type Way = 'api' | 'cli'
type Kind = 'start' | 'frozen'

export async function benchRollback(): Promise<void> {
  const ours = await startKernel()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    const pusher = createPusher(ours, 'hello')
    pusher.push('first')
    pusher.push('second')
    ours.kernel('apps:set', 'hello', 'keep-frozen', '1')
    const samples = new Map<string, number[]>()
    const spans: number[] = []
    let shown = 'second'
    for (let round = -1; round < rounds; round++)
      for (const kind of ['start', 'frozen'] as Kind[])
        for (const way of ['api', 'cli'] as Way[]) {
          const wanted = shown === 'second' ? 'first' : 'second'
          // What was frozen has to stand still, as it does a moment after each switch.
          if (kind === 'frozen') await untilFrozen(ours)
          const begun = performance.now()
          const command = rollBack(ours, kind, way)
          while (!(await page(ours.http, agent)).includes(wanted));
          const took = performance.now() - begun
          await command
          shown = wanted
          if (round < 0) continue
          const name = `${kind} ${way}`
          samples.set(name, [...(samples.get(name) ?? []), took])
          if (kind === 'frozen') spans.push(lastTotal(ours))
        }
    console.log('rollback of the hello app, until the old content is served')
    const bars: Record<Kind, string> = { start: 'bar: 1000 ms', frozen: 'bar: 100 ms' }
    for (const [name, list] of samples) {
      const [kind, way] = name.split(' ') as [Kind, Way]
      const how = kind === 'start' ? 'new processes' : 'from the freezer'
      const by = way === 'api' ? "the daemon's API" : 'the command line'
      console.log(`  ${how.padEnd(17)} ${by.padEnd(17)} ${spread(list)} (${bars[kind]})`)
    }
    console.log(`  stages of a frozen rollback inside the daemon: ${median(spans).toFixed(1)} ms`)
  } finally {
    agent.destroy()
    await ours.stop()
  }
}

/** Resolves when the command has ended. @throws where it failed */
function rollBack(ours: BenchDaemon, kind: Kind, way: Way): Promise<void> {
  if (way === 'api') return post(ours, kind === 'frozen')
  const flag = kind === 'frozen' ? '--frozen' : '--no-frozen'
  const child = spawn(process.execPath, [kernelBin, 'releases:rollback', 'hello', flag], {
    env: { ...process.env, KERNEL_HOST: ours.host },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return new Promise((resolve, reject) => {
    child.once('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`the command ended with ${code}`)),
    )
  })
}

function post(ours: BenchDaemon, frozen: boolean): Promise<void> {
  const body = JSON.stringify({ frozen })
  return new Promise((resolve, reject) => {
    const ask = request(
      {
        socketPath: join(ours.dir, 'kernel.sock'),
        method: 'POST',
        path: '/api/v1/apps/hello/rollback',
        headers: { 'content-type': 'application/json', 'content-length': body.length },
      },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (piece: string) => {
          text += piece
        })
        answer.once('end', () => (text.includes('{"result"') ? resolve() : reject(new Error(text))))
      },
    )
    ask.once('error', reject)
    ask.end(body)
  })
}

async function untilFrozen(ours: BenchDaemon): Promise<void> {
  for (;;) {
    const containers = await json<Array<{ State: string }>>(ours, '/containers/json?all=1')
    if (containers.length === 2 && containers.some(({ State }) => State === 'paused')) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function json<T>(ours: BenchDaemon, path: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const ask = request({ socketPath: join(ours.dir, 'kernel.sock'), path, agent: false }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
      })
      answer.once('end', () => resolve(JSON.parse(text) as T))
    })
    ask.once('error', reject)
    ask.end()
  })
}

/** Milliseconds of the stages up to the switch, as the newest deploy tells them. */
function lastTotal(ours: BenchDaemon): number {
  const [deploy] = JSON.parse(ours.kernel('deploys:list', 'hello', '-n', '1', '--format', 'json')) as Array<{
    spans: Array<{ stage: string; ms: number }>
  }>
  return deploy!.spans.filter(({ stage }) => stage !== 'retire').reduce((sum, { ms }) => sum + ms, 0)
}

function page(port: number, agent: Agent): Promise<string> {
  return new Promise((resolve) => {
    const ask = request(
      { host: '127.0.0.1', port, headers: { host: 'hello.localhost' }, agent },
      (answer) => {
        let body = ''
        answer.setEncoding('utf8').on('data', (piece: string) => {
          body += piece
        })
        answer.once('end', () => resolve(answer.statusCode === 200 ? body : ''))
      },
    )
    ask.once('error', () => resolve(''))
    ask.end()
  })
}

if (import.meta.main) await benchRollback()
