import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, type IncomingMessage, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { closeAll, closedPort, openApp } from './testing/fixtures.ts'

vi.setConfig({ testTimeout: 120_000 })

const MIB = 1 << 20
const PIECE = Buffer.alloc(MIB / 4, 'x')
const SIZE = 384 * MIB
const WARM = 64 * MIB
/** Who reads begins late: what is not read must wait where it comes from. */
const PAUSE_MS = 1_500
/** Whatever the size of the body. */
const MOST_GROWTH_MIB = 64

// In a process of its own, so that nothing but the edge is measured. `pnpm memory` does the same with the product.
describe.skipIf(process.platform !== 'linux')('the memory of an edge', () => {
  let edge: ChildProcess
  let port = 0

  beforeAll(async () => {
    const app = await openApp('a', (req, res) => {
      if (req.method === 'PUT') {
        let count = 0
        setTimeout(() => {
          req.on('data', (chunk: Buffer) => {
            count += chunk.length
          })
        }, PAUSE_MS)
        req.on('end', () => res.end(String(count)))
        return
      }
      let left = Number(req.url!.slice(1))
      res.writeHead(200, { 'content-length': left })
      const send = () => {
        while (left > 0) {
          const size = Math.min(left, PIECE.length)
          left -= size
          if (!res.write(PIECE.subarray(0, size))) {
            res.once('drain', send)
            return
          }
        }
        res.end()
      }
      send()
    })
    port = await closedPort()
    const file = fileURLToPath(new URL('../../bench/serve-edge.ts', import.meta.url))
    const args = ['--conditions=source', file, String(port), String(app.target.port), '1']
    edge = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(edge.stdout!, 'data')
  })
  afterAll(async () => {
    edge.kill()
    await closeAll()
  })

  const resident = () =>
    Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${edge.pid}/status`, 'utf8'))?.[1]) / 1024

  async function growth(work: () => Promise<unknown>): Promise<number> {
    await sleep(500)
    const before = resident()
    let peak = before
    const timer = setInterval(() => {
      peak = Math.max(peak, resident())
    }, 50)
    await work()
    clearInterval(timer)
    return peak - before
  }

  async function read(res: IncomingMessage): Promise<{ count: number; text: string }> {
    let count = 0
    let text = ''
    for await (const chunk of res as AsyncIterable<Buffer>) {
      count += chunk.length
      if (count < 100) text += chunk
    }
    return { count, text }
  }

  async function upload(size: number, headers = {}): Promise<string> {
    const req = request({ port, host: '127.0.0.1', method: 'PUT', headers: { host: 'r0.test', ...headers } })
    const answered = once(req, 'response') as Promise<[IncomingMessage]>
    for (let left = size; left > 0; left -= PIECE.length) if (!req.write(PIECE)) await once(req, 'drain')
    req.end()
    return (await read((await answered)[0])).text
  }

  async function download(path: string, agent: Agent | false = false): Promise<number> {
    const req = request({ port, host: '127.0.0.1', path, headers: { host: 'r0.test' }, agent }).end()
    const [res] = (await once(req, 'response')) as [IncomingMessage]
    if (Number(res.headers['content-length']) >= WARM) await sleep(PAUSE_MS)
    return (await read(res)).count
  }

  it.each([
    ['an upload', (size: number) => upload(size, { 'content-length': size })],
    ['an upload in chunks', (size: number) => upload(size)],
    ['a download', (size: number) => download(`/${size}`)],
  ])('grows no more by %s than by a small one', async (_, pass) => {
    await pass(WARM)
    let passed: unknown
    const grown = await growth(async () => {
      passed = await pass(SIZE)
    })
    expect(Number(passed)).toBe(SIZE)
    expect(grown).toBeLessThan(MOST_GROWTH_MIB)
  })

  it('stays where it was after the first requests', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 8 })
    const send = (count: number) =>
      Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let n = 0; n < count / 8; n++)
            expect(await download('/2', n % 4 === 0 ? false : agent)).toBe(2)
        }),
      )
    await send(4_000)
    await sleep(500)
    const before = resident()
    await send(20_000)
    await sleep(500)
    agent.destroy()
    expect(resident()).toBeLessThan(before * 1.1)
  })
})
