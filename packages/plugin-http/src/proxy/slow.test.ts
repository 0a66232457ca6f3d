import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ask, closeAll, onClose, openApp, openEdge, raw, route } from './testing/fixtures.ts'

vi.setConfig({ testTimeout: 60_000 })
afterEach(closeAll)

const MIB = 1 << 20
const HEAD = 'GET / HTTP/1.1\r\nHost: app.test\r\n'

/** A connection that takes note of its end. */
async function visitor(port: number): Promise<{ socket: Socket; text: () => string; closed: () => boolean }> {
  const socket = connect({ port, host: '127.0.0.1' })
  let text = ''
  let closed = false
  socket.on('error', () => {})
  socket.on('close', () => {
    closed = true
  })
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  onClose(() => socket.destroy())
  await once(socket, 'connect')
  return { socket, text: () => text, closed: () => closed }
}

const many = <T>(count: number, make: (n: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, n) => make(n)))

describe('five hundred slow visitors', () => {
  it('keep nobody waiting, and are shown out when their time is up', async () => {
    const settings = { headersTimeoutMs: 4_000, responseTimeoutMs: 4_000 }
    const { edge, port } = await openEdge(settings, { threads: 1 })
    const big = Buffer.alloc(8 * MIB, 'x')
    const app = await openApp('a', (req, res) => {
      req.on('error', () => {}).resume()
      if (req.url === '/big') res.end(big)
      else req.on('end', () => res.end('ok'))
    })
    await edge.publish('a', [route('app.test', [app.target])])

    const trickle: Socket[] = []
    const heads = await many(200, async () => {
      const one = await visitor(port)
      one.socket.write(HEAD)
      trickle.push(one.socket)
      return one
    })
    const bodies = await many(200, async () => {
      const one = await visitor(port)
      one.socket.write('POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 1000\r\n\r\nx')
      return one
    })
    const readers = await many(100, async () => {
      const one = await visitor(port)
      one.socket.pause()
      one.socket.write('GET /big HTTP/1.1\r\nHost: app.test\r\n\r\n')
      return one
    })
    // A byte now and then must not win a head more time.
    let at = 0
    const timer = setInterval(() => {
      for (const socket of trickle) if (socket.writable) socket.write('X-Slow: y\r\n'[at % 11]!)
      at++
    }, 300)
    onClose(() => clearInterval(timer))

    // Others are answered all the while, until the last of the slow ones has gone.
    const times: number[] = []
    const left = () => [...heads, ...bodies, ...readers].filter((one) => !one.closed()).length
    for (const begun = performance.now(); left() > 0 && performance.now() - begun < 40_000; await sleep(20)) {
      const asked = performance.now()
      expect((await ask(port)).body).toBe('ok')
      times.push(performance.now() - asked)
      // A reader that is paused sees no end: what it had in its buffer is let go in the end.
      if (performance.now() - begun > 6_000) for (const { socket } of readers) socket.resume()
    }
    expect(left()).toBe(0)
    const statuses = (list: typeof heads) => [...new Set(list.map(({ text }) => text().slice(9, 12)))]
    expect(statuses(heads)).toEqual(['408'])
    expect(statuses(bodies)).toEqual(['408'])
    // Their answers had begun: they are cut, and nobody takes them for whole.
    expect(Math.max(...readers.map(({ text }) => text().length))).toBeLessThan(big.length)
    expect(times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]).toBeLessThan(500)
  })
})

describe('the time for a head', () => {
  it('runs from its first byte on a connection that is kept', async () => {
    const { edge, port } = await openEdge({ headersTimeoutMs: 1_500, keepAliveMs: 600_000 }, { threads: 1 })
    const app = await openApp('a', (_, res) => res.end('ok'))
    await edge.publish('a', [route('app.test', [app.target])])
    const one = await visitor(port)
    one.socket.write(`${HEAD}\r\n`)
    await expect.poll(one.text).toMatch(/ok$/)
    await sleep(2_000)
    expect(one.closed()).toBe(false)
    one.socket.write(HEAD)
    await expect.poll(one.text, { timeout: 15_000 }).toMatch(/HTTP\/1\.1 408 /)
  })
})

describe('answers before the answer', () => {
  it('are no way to fill the memory: a target that goes on with them is broken off', async () => {
    const { edge, port } = await openEdge({}, { threads: 1 })
    const app = await openApp('a', (_, res) => {
      for (let n = 0; n < 100; n++) res.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
      res.end('late')
    })
    await edge.publish('a', [route('app.test', [app.target])])
    const { text } = await raw(port, `${HEAD}Connection: close\r\n\r\n`)
    expect(text).toContain('HTTP/1.1 502 ')
    expect(text).not.toContain('late')
  })
})
