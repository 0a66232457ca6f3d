import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import { Router } from '@kernel/contracts'
import { memoryLogger, setupPlugin } from '@kernel/kernel/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { edgeConfig, settingsOf } from './config.ts'
import { createEdge, parseListen } from './edge.ts'
import { edge as plugin } from './plugin.ts'
import { ask, closeAll, onClose, openApp, openEdge, raw, route, soon } from './testing/fixtures.ts'

vi.setConfig({ testTimeout: 30_000 })
afterEach(closeAll)

/** Every thread that starts from now on. */
function watchWorkers(): Worker[] {
  const workers: Worker[] = []
  const keep = (worker: Worker) => void workers.push(worker)
  process.on('worker', keep)
  onClose(() => process.off('worker', keep))
  return workers
}

const quiet = { log: memoryLogger(), settings: settingsOf(edgeConfig.parse({ dataDir: '/nowhere' })) }

describe('threads', () => {
  it('that die are started again, and what they were busy with is forgotten', async () => {
    const workers = watchWorkers()
    const { edge, port, log } = await openEdge()
    const app = await openApp('a', (req, res) => (req.url === '/stay' ? undefined : res.end('ok')))
    await edge.publish('a', [route('app.test', [app.target]), route('hold.test', [], { state: 'hold' })])
    const stay = 'GET /stay HTTP/1.1\r\nHost: app.test\r\n\r\n'
    const cut = Array.from({ length: 8 }, () => raw(port, stay))
    const held = Array.from({ length: 8 }, () => raw(port, stay.replace('app.test', 'hold.test')))
    await soon(() => edge.drain(['a'], 0)).toEqual({ open: 8 })
    await soon(() => edge.metrics()).toContain('kernel_edge_held 8')
    expect(workers).toHaveLength(2)
    await Promise.all(workers.slice(0, 2).map((worker) => worker.terminate()))
    await Promise.all([...cut, ...held])
    expect(await edge.drain(['a'], 10)).toEqual({ open: 0 })
    const answer = () => ask(port).catch(() => undefined)
    await soon(async () => (await answer())?.body).toBe('ok')
    expect(log.entries.filter(({ level }) => level === 'error')).toHaveLength(2)
    // Both are back: what each counts comes from two threads.
    await soon(() => workers.length).toBe(4)
    await Promise.all(Array.from({ length: 20 }, () => soon(async () => (await answer())?.body).toBe('ok')))
  })

  it('share the visitors of one port', async () => {
    const workers = watchWorkers()
    const { edge, port } = await openEdge()
    const app = await openApp('a', () => {})
    await edge.publish('a', [route('app.test', [app.target])])
    const text = 'GET / HTTP/1.1\r\nHost: app.test\r\n\r\n'
    const cut = Array.from({ length: 64 }, () => raw(port, text))
    await soon(() => edge.drain(['a'], 0)).toEqual({ open: 64 })
    await workers[0]!.terminate()
    const { open } = await edge.drain(['a'], 0)
    expect(open).toBeGreaterThan(0)
    expect(open).toBeLessThan(64)
    await edge.close(0)
    await Promise.all(cut)
  })
})

describe('listening', () => {
  it('on a port that is taken is refused', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onClose(() => server.close())
    const { port } = server.address() as { port: number }
    await expect(createEdge({ ...quiet, listen: [`127.0.0.1:${port}`] })).rejects.toMatchObject({
      kind: 'conflict',
    })
    const { port: own } = await openEdge()
    await expect(createEdge({ ...quiet, listen: [`127.0.0.1:${own}`] })).rejects.toMatchObject({
      kind: 'conflict',
    })
  })

  it('on an address that is not here is refused', async () => {
    const edge = createEdge({ ...quiet, listen: ['192.0.2.1:0'], threads: 1 })
    await expect(edge).rejects.toMatchObject({ kind: 'invalid' })
  })

  it('at several addresses gives them all', async () => {
    const edge = await createEdge({ ...quiet, listen: ['127.0.0.1:0', '127.0.0.2:0'], threads: 2 })
    onClose(() => edge.close(0))
    const listeners = await edge.listeners()
    expect(listeners.map(({ protocol, host }) => `${protocol} ${host}`)).toEqual([
      'http 127.0.0.1',
      'http 127.0.0.2',
    ])
    expect(new Set(listeners.map(({ port }) => port)).has(0)).toBe(false)
  })

  it.each([
    ['0.0.0.0:80', { host: '0.0.0.0', port: 80 }],
    ['[::1]:8080', { host: '::1', port: 8080 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
  ])('reads %s', (text, point) => expect(parseListen(text)).toEqual(point))

  it.each(['80', ':80', 'h', 'h:70000', '::1:80', 'h:80/x'])('refuses %j', (text) => {
    expect(() => parseListen(text)).toThrow(expect.objectContaining({ kind: 'invalid' }))
  })
})

describe('the plugin', () => {
  it('holds visitors until ready, serves the Router, and logs requests without their queries', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'edge-'))
    onClose(() => rm(dataDir, { recursive: true, force: true }))
    const config = { dataDir, listen: ['127.0.0.1:0'], threads: 2, accessLog: 'access.log', graceSec: 0 }
    const { provided, stop } = await setupPlugin(plugin, { config })
    const router = provided(Router)
    const { port } = (await router.listeners())[0]!
    const app = await openApp('web.1', (_, res) => res.end('ok'))
    const asked = ask(port, { path: '/x?token=secret', headers: { 'x-request-id': 'r1' } })
    await router.publish('shop', [route('app.test', [app.target])])
    await router.ready()
    expect((await asked).body).toBe('ok')
    expect((await ask(port, { headers: { host: 'none', 'x-request-id': 'r2' } })).status).toBe(404)
    await stop()
    const text = await readFile(join(dataDir, 'access.log'), 'utf8')
    expect(text).not.toContain('secret')
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.sort((a, b) => (a.requestId < b.requestId ? -1 : 1))).toMatchObject([
      {
        requestId: 'r1',
        app: 'shop',
        method: 'GET',
        host: 'app.test',
        path: '/x',
        status: 200,
        target: 'web.1',
      },
      { requestId: 'r2', app: '', host: 'none', path: '/', status: 404, target: '' },
    ])
  })

  it.each([
    { trustedProxies: ['10.0.0.0/33'] },
    { trustedProxies: ['host'] },
    { threads: 0 },
    { holdTimeoutSec: -1 },
  ])('refuses %j', (config) => {
    expect(edgeConfig.safeParse({ dataDir: '/d', ...config }).success).toBe(false)
  })
})
