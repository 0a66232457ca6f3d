/** What a running app's checks do, and what visitors see of a process that falls and comes back. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kernelCommand } from './harness/product.ts'
import { Repository } from './harness/repository.ts'
import { appJson, nodeProgram } from './harness/sources.ts'
import { eventually, until } from './harness/until.ts'
import { useDaemon } from './harness/use-daemon.ts'
import { fetchPage } from './harness/visitor.ts'

const holdSec = 4

/** Obeys: /crash/MS ends it, and its next start takes MS; /sick, /well and /dead say how its checks go. */
const program = `
import { existsSync, readFileSync, writeFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
const late = '/tmp/late'
let ready = true
let alive = true
const server = createServer((request, response) => {
  const [, word, argument] = request.url.split('/')
  if (word === 'crash') {
    writeFileSync(late, argument)
    response.end('bye', () => process.exit(1))
  } else if (word === 'sick' || word === 'well') {
    ready = word === 'well'
    response.end(word)
  } else if (word === 'dead') {
    alive = false
    response.end(word)
  } else if (word === 'ready' || word === 'alive') {
    response.statusCode = (word === 'ready' ? ready : alive) ? 200 : 500
    response.end()
  } else response.end(process.env.KERNEL_PROCESS)
})
const pause = existsSync(late) ? Number(readFileSync(late, 'utf8')) : 0
rmSync(late, { force: true })
setTimeout(() => server.listen(process.env.PORT), pause)
process.on('SIGTERM', () => process.exit(0))
`
const worker = 'rm -f /tmp/stuck; exec sleep 1000000'
const checks = appJson({
  formation: { web: { quantity: 1 }, worker: { quantity: 1 } },
  healthchecks: {
    web: [
      { type: 'readiness', name: 'readiness', path: '/ready', wait: 1, attempts: 1 },
      { type: 'liveness', name: 'liveness', path: '/alive', wait: 1, attempts: 2 },
    ],
    worker: [{ type: 'liveness', command: 'test ! -f /tmp/stuck', wait: 1, attempts: 2 }],
  },
})

interface Process {
  name: string
  status: string
  restarts: number
  notReady?: string
  workloadId: string
}

describe('a running app', () => {
  const lab = useDaemon({
    config: { config: { edge: { holdTimeoutSec: holdSec }, apps: { livenessBackoffSec: 1 } } },
  })
  const visit = (path: string) => fetchPage(lab.daemon.url('life') + path)
  const processOf = async (name: string) =>
    (await lab.daemon.json<{ processes: Process[] }>(['ps:report', 'life'])).processes.find(
      (one) => one.name === name,
    )
  const events: string[] = []
  let follower: ReturnType<typeof spawn> | undefined

  function followEvents(): void {
    const [node, ...args] = kernelCommand()
    follower = spawn(node, [...args, 'system:events', '--format', 'json'], { env: lab.daemon.env })
    createInterface({ input: follower.stdout! }).on('line', (line) => {
      const { Type, Action, Actor } = JSON.parse(line) as {
        Type: string
        Action: string
        Actor: { Attributes: Record<string, string> }
      }
      if (Type === 'app') events.push(`${Action} ${Actor.Attributes.process ?? ''}`)
    })
  }

  beforeAll(async () => {
    const { daemon } = lab
    const source = nodeProgram(program, { ...checks, Procfile: `web: node server.js\nworker: ${worker}\n` })
    const repository = await Repository.create(daemon, 'life', source)
    await repository.deploy()
    followEvents()
  })
  afterAll(() => void follower?.kill())

  it('that falls holds its visitors until it is back', async () => {
    expect((await visit('crash/1500')).body).toBe('bye')
    await eventually(async () => expect(await processOf('web.1')).toMatchObject({ restarts: 1 }))
    // Started again, and not listening yet.
    const begun = Date.now()
    const visitors = await Promise.all(Array.from({ length: 20 }, () => visit('')))
    expect(visitors.map(({ status, body }) => `${status} ${body}`)).toEqual(Array(20).fill('200 web.1'))
    expect(Date.now() - begun).toBeGreaterThan(300)
  })

  it('that falls for longer than they are held tells them when to come again', async () => {
    await visit(`crash/${(holdSec + 3) * 1000}`)
    const begun = Date.now()
    const { status, headers } = await until('a visitor who was held', async () => {
      const page = await visit('')
      return page.status === 503 && page
    })
    expect([status, Number(headers['retry-after'])]).toEqual([503, 5])
    expect(Date.now() - begun).toBeGreaterThan((holdSec - 1) * 1000)
    await eventually(async () => expect((await visit('')).body).toBe('web.1'))
  })

  it('is left out of the routes while it is not ready', async () => {
    const { daemon } = lab
    await daemon.kernel(['ps:scale', 'life', 'web=2'])
    const sick = (await visit('sick')).body
    expect(sick).toBe('sick')
    const out = await until('one that is not ready', async () => {
      const both = await Promise.all(['web.1', 'web.2'].map(processOf))
      return both.find((one) => one?.notReady !== undefined)
    })
    expect(out).toMatchObject({
      status: 'running',
      notReady: 'the check "readiness": GET /ready answered 500',
    })
    const report = (await daemon.kernel(['ps:report', 'life'])).stdout
    expect(report).toMatch(new RegExp(`${out.name} +running \\(not ready\\)`))
    expect(report).toContain(`${out.name} gets no requests: it does not pass the check "readiness"`)
    const other = out.name === 'web.1' ? 'web.2' : 'web.1'
    for (let n = 0; n < 10; n++) expect((await visit('')).body).toBe(other)
    // Now the other as well: nobody serves, and who comes is held.
    await visit('sick')
    await eventually(async () => expect((await visit('')).status).toBe(503))
    await daemon.kernel(['ps:scale', 'life', 'web=1'])
    const visitor = visit('')
    await daemon.kernel([
      'enter',
      'life',
      'web.1',
      'node',
      '-e',
      `fetch('http://127.0.0.1:'+process.env.PORT+'/well')`,
    ])
    await visitor
    await eventually(async () => expect((await visit('')).body).toBe('web.1'))
    expect(events.filter((line) => /ready/.test(line)).map((line) => line.split(' ')[0])).toEqual(
      expect.arrayContaining(['unready', 'unready', 'ready']),
    )
  })

  it('is started again where it is not alive, also by a daemon that was killed meanwhile', async () => {
    const { daemon } = lab
    const before = await processOf('web.1')
    await visit('dead')
    await eventually(async () => {
      const now = await processOf('web.1')
      expect(now).toMatchObject({ status: 'running', restarts: (before?.restarts ?? 0) + 1 })
      expect(now?.workloadId).toBe(before?.workloadId)
    })
    await eventually(async () => expect((await visit('')).body).toBe('web.1'))
    expect(events).toContain('unhealthy web.1')
    follower?.kill()
    await daemon.kill()
    await daemon.start()
    expect((await processOf('web.1'))?.restarts).toBe((before?.restarts ?? 0) + 1)
    await visit('dead')
    await eventually(async () =>
      expect(await processOf('web.1')).toMatchObject({ restarts: (before?.restarts ?? 0) + 2 }),
    )
    await eventually(async () => expect((await visit('')).body).toBe('web.1'))
  })

  it('is asked by a command within its container', async () => {
    const { daemon } = lab
    await daemon.kernel(['enter', 'life', 'worker.1', 'touch', '/tmp/stuck'])
    await eventually(async () =>
      expect(await processOf('worker.1')).toMatchObject({ status: 'running', restarts: 1 }),
    )
  })
})
