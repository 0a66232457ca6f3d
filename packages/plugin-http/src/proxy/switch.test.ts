import { Agent, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ask, closeAll, onClose, openApp, openEdge, raw, route, soon } from './testing/fixtures.ts'

vi.setConfig({ testTimeout: 30_000 })
afterEach(closeAll)

describe('requests wait', () => {
  it('until the daemon is ready', async () => {
    const { edge, port } = await openEdge({}, { ready: false })
    const app = await openApp('a', (req, res) => void req.pipe(res))
    const waiting = [ask(port), ask(port, { method: 'POST', body: 'kept' })]
    await soon(() => edge.metrics()).toContain('kernel_edge_held 2')
    await edge.publish('a', [route('app.test', [app.target])])
    expect(app.connections()).toBe(0)
    await edge.ready()
    expect((await Promise.all(waiting)).map(({ status, body }) => [status, body])).toEqual([
      [200, ''],
      [200, 'kept'],
    ])
  })

  it('while their route is on hold, and go where it leads then', async () => {
    const { edge, port } = await openEdge()
    const app = await openApp('new', (_, res) => res.end('new'))
    await edge.publish('a', [route('app.test', [], { state: 'hold' })])
    const waiting = Array.from({ length: 50 }, () => ask(port))
    await soon(() => edge.metrics()).toContain('kernel_edge_held 50')
    await edge.publish('other', [route('other.test', [])])
    await edge.publish('a', [route('app.test', [app.target])])
    for (const { body } of await Promise.all(waiting)) expect(body).toBe('new')
  })

  it('no longer than the limit', async () => {
    const { edge, port } = await openEdge({ holdTimeoutMs: 200 })
    await edge.publish('a', [route('app.test', [], { state: 'hold' })])
    expect(await ask(port)).toMatchObject({ status: 503, headers: { 'retry-after': '5' } })
  })

  it('in bounded number, and not for visitors who left', async () => {
    const { edge, port } = await openEdge({ maxHeld: 3 }, { threads: 1 })
    await edge.publish('a', [route('app.test', [], { state: 'hold' })])
    const sockets = Array.from({ length: 3 }, () => connect(port, '127.0.0.1'))
    for (const socket of sockets) socket.write('GET / HTTP/1.1\r\nHost: app.test\r\n\r\n')
    await soon(() => edge.metrics()).toContain('kernel_edge_held 3')
    expect((await ask(port)).body).toContain('Too many')
    for (const socket of sockets) socket.destroy()
    await soon(() => edge.metrics()).toContain('kernel_edge_held 0')
  })
})

it('no request fails while routes switch 200 times and what is old is drained and closed', async () => {
  const { edge, port } = await openEdge()
  const agent = new Agent({ keepAlive: true })
  onClose(() => agent.destroy())
  let going = true
  let asked = 0
  const wrong: unknown[] = []
  const visitors = Array.from({ length: 8 }, async (_, i) => {
    while (going) {
      const body = i % 2 ? `body ${i}` : undefined
      const path = `/${i}`
      // Some keep their connection, some open a new one each time.
      const options = { path, method: body ? 'POST' : 'GET', body, agent: i < 5 ? agent : false }
      const answer = await ask(port, options).catch((error: Error) => ({ status: error.message, body: '' }))
      if (answer.status !== 200 || !answer.body.endsWith(`${path}${body ?? ''}`)) wrong.push(answer)
      asked++
    }
  })
  const open = (n: number) =>
    openApp(`t${n}`, (req, res) => {
      res.write(`${n}`)
      setTimeout(() => req.on('data', (chunk) => res.write(chunk)).on('end', () => res.end()), n % 3)
      res.write(req.url)
    })
  let old = await open(0)
  await edge.publish('a', [route('app.test', [old.target])])
  for (let n = 1; n <= 200; n++) {
    const next = await open(n)
    await edge.publish('a', [route('app.test', [next.target])])
    expect(await edge.drain([old.target.id], 30)).toEqual({ open: 0 })
    await old.close()
    old = next
    // The visitors must not fall behind.
    for (const goal = asked + 6; asked < goal; ) await new Promise((resolve) => setImmediate(resolve))
  }
  going = false
  await Promise.all(visitors)
  expect(wrong).toEqual([])
  expect(asked).toBeGreaterThan(1200)
}, 60_000)

describe('drain', () => {
  it('counts what is open over all threads, and ends with the last', async () => {
    const { edge, port } = await openEdge()
    const answers: ServerResponse[] = []
    const app = await openApp('a', (_, res) => void answers.push(res))
    await edge.publish('a', [route('app.test', [app.target])])
    const asked = Array.from({ length: 12 }, () => ask(port))
    await soon(() => answers.length).toBe(12)
    expect(await edge.metrics()).toContain('kernel_edge_in_flight{app="a"} 12')
    await edge.withdraw('a')
    expect(await edge.drain(['a'], 0.05)).toEqual({ open: 12 })
    let done = false
    const drained = edge.drain(['a'], 30).then((result) => {
      done = true
      return result
    })
    for (const res of answers.slice(1)) res.end('x')
    await soon(() => edge.drain(['a'], 0)).toEqual({ open: 1 })
    expect(done).toBe(false)
    answers[0]!.end('x')
    expect(await drained).toEqual({ open: 0 })
    for (const { status } of await Promise.all(asked)) expect(status).toBe(200)
  })
})

it('gives each request to the least busy target', async () => {
  const { edge, port } = await openEdge()
  const open = new Map<string, ServerResponse[]>()
  const apps = await Promise.all(
    ['a', 'b', 'c'].map((id) => {
      open.set(id, [])
      return openApp(id, (req, res) => {
        if (req.url === '/quick') res.end(id)
        else open.get(id)!.push(res)
      })
    }),
  )
  await edge.publish('a', [
    route(
      'app.test',
      apps.map(({ target }) => target),
    ),
  ])
  const asked: Array<Promise<unknown>> = []
  for (let n = 1; n <= 12; n++) {
    asked.push(ask(port))
    await soon(() => [...open.values()].flat().length).toBe(n)
  }
  expect([...open.values()].map((list) => list.length)).toEqual([4, 4, 4])
  for (const res of open.get('b')!) res.end()
  await soon(() => edge.drain(['b'], 0)).toEqual({ open: 0 })
  expect((await ask(port, { path: '/quick' })).body).toBe('b')
  for (const res of [...open.values()].flat()) res.end()
  await Promise.all(asked)
})

describe('closing', () => {
  it('lets requests end, refuses those that wait, and takes no new ones', async () => {
    const { edge, port } = await openEdge()
    let answer: ServerResponse | undefined
    const app = await openApp('a', (_, res) => {
      answer = res
    })
    await edge.publish('a', [route('app.test', [app.target]), route('hold.test', [], { state: 'hold' })])
    const agent = new Agent({ keepAlive: true })
    onClose(() => agent.destroy())
    const under = ask(port, { agent })
    const held = ask(port, { headers: { host: 'hold.test' } })
    await soon(() => answer !== undefined).toBe(true)
    await soon(() => edge.metrics()).toContain('kernel_edge_held 1')
    const closed = edge.close(30_000)
    expect(await held).toMatchObject({ status: 503, body: expect.stringContaining('restarting') })
    await expect(ask(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    answer!.end('done')
    expect(await under).toMatchObject({ status: 200, body: 'done', headers: { connection: 'close' } })
    await closed
  })

  it('cuts off what takes longer', async () => {
    const { edge, port } = await openEdge()
    const app = await openApp('a', () => {})
    await edge.publish('a', [route('app.test', [app.target])])
    const cut = raw(port, 'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n')
    await soon(() => app.connections()).toBe(1)
    await edge.close(100)
    expect((await cut).text).toBe('')
  })
})
