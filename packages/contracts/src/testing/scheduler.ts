/** What every driver of the Scheduler promises. @module */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ProcessStream } from '../containers.ts'
import type { Artifact, BuildPlan, Scheduler, Workload, WorkloadSpec } from '../scheduler.ts'
import { casesOf, eventually, type Subject, type SuiteCase } from './suite.ts'

const server = `
import { createServer } from 'node:http'
console.log('hello from ' + (process.env.GREETING ?? 'nobody'))
console.error('on stderr')
createServer((q, s) => s.end(JSON.stringify({ greeting: process.env.GREETING, url: q.url }))).listen(process.env.PORT)
if (process.env.STUBBORN) process.on('SIGTERM', () => console.log('not yet'))
`

const plan: BuildPlan = {
  builder: 'test',
  dockerfile: { text: 'FROM kernel/base:latest\nWORKDIR /app\nCOPY . .\nCMD ["node", "server.mjs"]\n' },
  host: { commands: [] },
  processes: { web: 'exec node server.mjs' },
}

async function buildServer(scheduler: Scheduler, change: Partial<BuildPlan> = {}): Promise<Artifact> {
  const dir = await mkdtemp(join(tmpdir(), 'scheduler-suite-'))
  try {
    await writeFile(join(dir, 'server.mjs'), server)
    const request = {
      app: 'suite',
      buildId: 'b1',
      dir,
      plan: { ...plan, ...change },
      secretEnv: { SECRET: 'hidden' },
    }
    return await scheduler.build(request, () => {})
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

let counter = 0
function spec(artifact: Artifact, change: Partial<WorkloadSpec> = {}): WorkloadSpec {
  counter += 1
  return {
    app: 'suite',
    releaseId: 'v1',
    processType: 'web',
    index: 1,
    name: `suite.web.${counter}`,
    artifact: artifact.ref,
    command: ['/bin/sh', '-c', 'exec node server.mjs'],
    env: { GREETING: 'the suite' },
    port: 5000,
    ...change,
  }
}
const shell = (artifact: Artifact, line: string, change: Partial<WorkloadSpec> = {}) =>
  spec(artifact, { command: ['/bin/sh', '-c', line], port: undefined, processType: 'worker', ...change })

async function get(workload: Workload, path: string): Promise<{ greeting: string; url: string }> {
  const { address } = workload
  assert(address, 'a workload with a port has an address')
  return eventually(`an answer of ${workload.name}`, () => {
    return new Promise((resolve, reject) => {
      const ask = request({ ...address, path, timeout: 2000 }, (answer) => {
        let body = ''
        answer.setEncoding('utf8').on('data', (piece) => {
          body += piece
        })
        answer.on('end', () => resolve(JSON.parse(body)))
      })
      ask.on('error', reject).end()
    })
  })
}

async function outputOf(stream: ProcessStream): Promise<{ out: string; err: string }> {
  const text = { out: '', err: '' }
  for await (const { stream: n, data } of stream.output)
    text[n === 1 ? 'out' : 'err'] += Buffer.from(data).toString()
  return text
}

async function logText(scheduler: Scheduler, id: string, options: { follow?: boolean; tail?: number } = {}) {
  let text = ''
  for await (const entry of await scheduler.logs(id, { stdout: true, stderr: true, ...options })) {
    assert.match(entry.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/)
    text += Buffer.from(entry.data).toString()
  }
  return text
}

/** `make` gives a driver with an empty data dir; for the container driver, with the base image at hand. */
export function schedulerSuite(make: () => Promise<Subject<Scheduler>>): SuiteCase[] {
  return casesOf(make, {
    async 'says what it is, and warns where nothing is isolated'(scheduler) {
      const { isolated, warning } = await scheduler.describe()
      assert.equal(isolated, warning === undefined)
    },
    async 'builds, starts, answers, logs, stops and removes'(scheduler) {
      const artifact = await buildServer(scheduler)
      assert.match(artifact.ref, /^sha256:[0-9a-f]{64}$/)
      assert.ok(artifact.size > 0)
      const started = await scheduler.start(spec(artifact, { labels: { tier: 'front' } }))
      assert.equal(started.status, 'running')
      assert.deepEqual(await get(started, '/some/path'), { greeting: 'the suite', url: '/some/path' })
      const [listed, ...more] = await scheduler.list({ app: 'suite' })
      assert.equal(more.length, 0)
      assert.deepEqual([listed?.id, listed?.releaseId, listed?.processType], [started.id, 'v1', 'web'])
      assert.deepEqual(await scheduler.list({ app: 'other' }), [])
      const log = await logText(scheduler, started.id)
      assert.match(log, /hello from the suite\n/)
      assert.match(log, /on stderr\n/)
      await scheduler.stop(started.id)
      assert.equal((await scheduler.inspect(started.id)).status, 'exited')
      await scheduler.remove(started.id)
      assert.deepEqual(await scheduler.list(), [])
      await assert.rejects(scheduler.inspect(started.id), { kind: 'not-found' })
    },
    async 'starts again what was stopped, with the same environment'(scheduler) {
      const artifact = await buildServer(scheduler)
      const { id } = await scheduler.start(spec(artifact))
      await scheduler.stop(id)
      const again = await scheduler.restart(id)
      assert.equal((await get(again, '/')).greeting, 'the suite')
    },
    async 'kills what does not stop in time'(scheduler) {
      const artifact = await buildServer(scheduler)
      const started = await scheduler.start(spec(artifact, { env: { STUBBORN: '1' } }))
      await get(started, '/')
      await scheduler.stop(started.id, { timeoutSec: 1 })
      const { status, exitCode } = await scheduler.inspect(started.id)
      assert.deepEqual({ status, exitCode }, { status: 'exited', exitCode: 137 })
      assert.match(await logText(scheduler, started.id), /not yet/)
    },
    async 'tells the exit code, also of what ended long ago'(scheduler) {
      const artifact = await buildServer(scheduler)
      const { id } = await scheduler.start(shell(artifact, 'exit 7'))
      assert.equal((await scheduler.wait(id)).exitCode, 7)
      assert.equal((await scheduler.wait(id)).exitCode, 7)
      assert.equal((await scheduler.inspect(id)).exitCode, 7)
    },
    async 'follows a log to its last byte, and gives its tail'(scheduler) {
      const artifact = await buildServer(scheduler)
      const { id } = await scheduler.start(shell(artifact, 'echo one; sleep 0.2; echo two; printf three'))
      assert.equal(await logText(scheduler, id, { follow: true }), 'one\ntwo\nthree')
      assert.equal((await logText(scheduler, id, { tail: 2 })).trimEnd(), 'two\nthree')
    },
    async 'restarts on failure as often as it is told'(scheduler) {
      const artifact = await buildServer(scheduler)
      const restart = { policy: 'on-failure', maxRetries: 2 } as const
      const { id } = await scheduler.start(shell(artifact, 'echo tried; exit 3', { restart }))
      const last = await eventually('the end of the restarts', async () => {
        const now = await scheduler.inspect(id)
        return now.status === 'exited' && now.restartCount === 2 && now
      })
      assert.equal(last.exitCode, 3)
      assert.equal((await logText(scheduler, id)).match(/tried/g)?.length, 3)
    },
    async 'runs a one-off with its input, and leaves nothing of it'(scheduler) {
      const artifact = await buildServer(scheduler)
      const line = 'read word; echo "got $word from $GREETING"; echo oops >&2; exit 4'
      const { id } = await scheduler.start(shell(artifact, line, { oneOff: { stdin: true } }))
      const stream = await scheduler.attach(id)
      const exit = scheduler.wait(id)
      const output = outputOf(stream)
      await stream.write(Buffer.from('milk\n'))
      await stream.closeInput()
      assert.deepEqual(await output, { out: 'got milk from the suite\n', err: 'oops\n' })
      assert.equal((await exit).exitCode, 4)
      await eventually('the removal', async () => (await scheduler.list()).length === 0)
    },
    async 'loses no byte of a one-off that ends at once'(scheduler) {
      const artifact = await buildServer(scheduler)
      for (let round = 0; round < 5; round++) {
        const { id } = await scheduler.start(shell(artifact, 'echo quick', { oneOff: {} }))
        assert.equal((await outputOf(await scheduler.attach(id))).out, 'quick\n')
      }
    },
    async 'runs a command beside a process'(scheduler) {
      const artifact = await buildServer(scheduler)
      const { id } = await scheduler.start(spec(artifact))
      const { stream, exit } = await scheduler.exec(id, {
        command: ['/bin/sh', '-c', 'echo "$GREETING $MORE"; exit 5'],
        env: { MORE: 'and more' },
      })
      assert.equal((await outputOf(stream)).out, 'the suite and more\n')
      assert.equal((await exit).exitCode, 5)
    },
    async 'freezes what runs, and lets it go on where it stood'(scheduler) {
      assert.equal(scheduler.freeze === undefined, scheduler.thaw === undefined, 'both or neither')
      if (!scheduler.freeze || !scheduler.thaw) return
      const artifact = await buildServer(scheduler)
      const count = 'n=0; while :; do n=$((n+1)); echo "count $n"; sleep 0.02; done'
      const { id } = await scheduler.start(shell(artifact, count))
      const last = async () => Number((await logText(scheduler, id)).match(/count (\d+)\n(?!.*\n)/s)?.[1])
      await eventually('the count', async () => (await last()) > 2)
      await scheduler.freeze(id)
      await scheduler.freeze(id)
      assert.equal((await scheduler.inspect(id)).status, 'frozen')
      await assert.rejects(scheduler.exec(id, { command: ['/bin/true'] }), { kind: 'conflict' })
      // What was written before may still be on its way into the log; then nothing comes any more.
      let stood = await last()
      await eventually('a log that stands still', async () => {
        const before = stood
        await new Promise((resolve) => setTimeout(resolve, 300))
        stood = await last()
        return stood === before
      })
      const thawed = await scheduler.thaw(id)
      assert.deepEqual([thawed.id, thawed.status, thawed.restartCount], [id, 'running', 0])
      await scheduler.thaw(id)
      await eventually('the count to go on', async () => (await last()) > stood)
      assert.match(await logText(scheduler, id), new RegExp(`count ${stood}\ncount ${stood + 1}\n`))
      await scheduler.stop(id, { timeoutSec: 1 })
      await assert.rejects(scheduler.freeze(id), { kind: 'conflict' })
      await assert.rejects(scheduler.thaw(id), { kind: 'conflict' })
    },
    async 'stops and removes what is frozen'(scheduler) {
      if (!scheduler.freeze) return
      const artifact = await buildServer(scheduler)
      const polite = shell(artifact, 'trap "echo bye; exit 9" TERM; echo up; while :; do sleep 0.02; done')
      const { id } = await scheduler.start(polite)
      await eventually('the trap', async () => (await logText(scheduler, id)).includes('up'))
      await scheduler.freeze(id)
      await scheduler.stop(id, { timeoutSec: 10 })
      assert.equal((await scheduler.inspect(id)).exitCode, 9)
      const other = await scheduler.start(spec(artifact))
      await get(other, '/')
      await scheduler.freeze(other.id)
      await scheduler.remove(other.id)
      await scheduler.remove(id)
      assert.deepEqual(await scheduler.list(), [])
    },
    async 'gives a name only once, and renames'(scheduler) {
      const artifact = await buildServer(scheduler)
      const first = await scheduler.start(shell(artifact, 'sleep 60', { name: 'suite.worker.one' }))
      await assert.rejects(scheduler.start(shell(artifact, 'sleep 60', { name: 'suite.worker.one' })), {
        kind: 'conflict',
      })
      assert.equal((await scheduler.list()).length, 1)
      await scheduler.rename(first.id, 'suite.worker.two')
      assert.equal((await scheduler.inspect(first.id)).name, 'suite.worker.two')
      await scheduler.start(shell(artifact, 'sleep 60', { name: 'suite.worker.one' }))
      assert.equal((await scheduler.list()).length, 2)
    },
    async 'refuses an artifact that is not there'(scheduler) {
      const missing = { ref: `sha256:${'0'.repeat(64)}`, size: 0, config: {} }
      await assert.rejects(scheduler.start(spec(missing)), { kind: 'not-found' })
      assert.deepEqual(await scheduler.list(), [])
    },
    async 'builds the same source to the same artifact, and removes it'(scheduler) {
      const [first, second] = [await buildServer(scheduler), await buildServer(scheduler)]
      assert.equal(first.ref, second.ref)
      assert.equal(await scheduler.hasArtifact(first.ref), true)
      await scheduler.removeArtifact(first.ref)
      assert.equal(await scheduler.hasArtifact(first.ref), false)
    },
    async 'tells why a build failed, and keeps nothing'(scheduler) {
      const lines: string[] = []
      const dir = await mkdtemp(join(tmpdir(), 'scheduler-suite-'))
      const broken: BuildPlan = {
        ...plan,
        dockerfile: { text: 'FROM kernel/base:latest\nRUN echo no luck today; exit 9\n' },
        host: { commands: [['/bin/sh', '-c', 'echo no luck today; exit 9']] },
      }
      try {
        await assert.rejects(
          scheduler.build({ app: 'suite', buildId: 'b2', dir, plan: broken, secretEnv: {} }, (line) =>
            lines.push(line.text),
          ),
          { kind: 'failed', message: /9/ },
        )
      } finally {
        await rm(dir, { recursive: true, force: true })
      }
      assert.match(lines.join('\n'), /no luck today/)
    },
  })
}
