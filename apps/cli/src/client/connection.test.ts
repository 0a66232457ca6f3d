import { rmSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { type Answers, type FakeDaemon, fakeDaemon } from '../testing.ts'
import { Client } from './client.ts'
import { routePath } from './connection.ts'
import { encodeFrame } from './frames.ts'

let daemon: FakeDaemon | undefined
afterEach(async () => {
  await daemon?.close()
  daemon = undefined
})

async function clientOf(answers: Answers): Promise<Client> {
  daemon = await fakeDaemon(answers)
  return new Client(daemon.address)
}
const text = (body: string, status = 200): Answers => ({
  answer: (_request, response) => response.writeHead(status).end(body),
})

describe('paths', () => {
  it('are filled and encoded', () => {
    expect(routePath('appsReport', { params: { app: 'a/../b c' } })).toBe('/api/v1/apps/a%2F..%2Fb%20c')
    const query = { domain: ['a.test', 'b.test'], gone: undefined, follow: true }
    expect(routePath('domainsRemove', { params: { app: 'x' }, query })).toBe(
      '/api/v1/apps/x/domains?domain=a.test&domain=b.test&follow=true',
    )
    expect(() => routePath('appsReport', {})).toThrow(TypeError)
  })
})

describe('a call', () => {
  it('sends JSON and reads JSON', async () => {
    const client = await clientOf(text('{"name":"blog"}'))
    expect(await client.json('appsCreate', { body: { name: 'blog' } })).toEqual({ name: 'blog' })
    expect(daemon?.requests).toEqual(['POST /api/v1/apps {"name":"blog"}'])
  })

  it('takes an answer without a body', async () => {
    const client = await clientOf(text('', 204))
    await client.send('appsLock', { params: { app: 'blog' } })
    expect(daemon?.requests).toEqual(['POST /api/v1/apps/blog/lock'])
  })

  it.each(['not-found', 'conflict', 'invalid', 'denied', 'unavailable'])(
    'throws a problem of kind %s with its hint',
    async (kind) => {
      const client = await clientOf(text(JSON.stringify({ kind, message: 'No.', hint: 'Do.' }), 418))
      await expect(client.json('appsList')).rejects.toMatchObject({ kind, message: 'No.', hint: 'Do.' })
    },
  )

  it('shows what something else answered', async () => {
    const client = await clientOf(text('<h1>Bad gateway</h1>', 502))
    await expect(client.json('appsList')).rejects.toMatchObject({
      kind: 'failed',
      message: expect.stringMatching(/502.*Bad gateway/),
    })
    await daemon?.close()
    const other = await clientOf(text('<h1>Welcome</h1>'))
    await expect(other.json('appsList')).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/no daemon of kernel/),
    })
  })

  it('says how to start a daemon where none answers', async () => {
    const client = new Client({ kind: 'unix', path: '/nonexistent/kernel.sock' })
    await expect(client.json('appsList')).rejects.toMatchObject({
      kind: 'unavailable',
      message: 'No daemon answers at unix:///nonexistent/kernel.sock.',
      hint: expect.stringMatching(/kernel daemon/),
    })
    const closed = new Client({ kind: 'tcp', protocol: 'http', host: '127.0.0.1', port: 1 })
    await expect(closed.json('appsList')).rejects.toMatchObject({
      message: expect.stringMatching(/http:\/\/127.0.0.1:1/),
    })
  })

  it('says so where the daemon hangs up', async () => {
    const client = await clientOf({ answer: (request) => request.socket.destroy() })
    await expect(client.json('appsList')).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/broke/),
    })
  })

  it('sends the token over TCP', async () => {
    const { createServer } = await import('node:http')
    const server = createServer((request, response) =>
      response.end(JSON.stringify(request.headers.authorization ?? null)),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const address = { kind: 'tcp', protocol: 'http', host: '127.0.0.1', port, token: 'abc' } as const
    try {
      expect(await new Client(address).json('appsList')).toBe('Bearer abc')
    } finally {
      server.close()
      server.closeAllConnections()
    }
  })
})

describe('lines', () => {
  const collect = async (client: Client) => {
    const lines: unknown[] = []
    const result = await client.operate('psRestart', { params: { app: 'blog' } }, (line) => lines.push(line))
    return { lines, result }
  }

  it('come one by one, then the result', async () => {
    const client = await clientOf(text('{"kind":"step"}\n\n{"kind":"detail"}\n{"result":{"a":1}}\n'))
    expect(await collect(client)).toEqual({
      lines: [{ kind: 'step' }, { kind: 'detail' }],
      result: { a: 1 },
    })
  })

  it('are handed out before the answer ends', async () => {
    const client = await clientOf({
      answer(_request, response) {
        response.write('{"kind":"step"}\n')
      },
    })
    const lines = client.lines('systemEvents')
    expect((await lines.next()).value).toEqual({ kind: 'step' })
    await lines.return(undefined)
  })

  it('end with the problem the daemon tells', async () => {
    const problem = { kind: 'conflict', message: 'Locked.', hint: 'apps:unlock' }
    const client = await clientOf(text(`{"kind":"step"}\n${JSON.stringify({ error: problem })}\n`))
    await expect(collect(client)).rejects.toMatchObject(problem)
  })

  it('that stop without a result are a failure, not a success', async () => {
    await expect(collect(await clientOf(text('{"kind":"step"}\n')))).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringMatching(/went away before the operation/),
    })
    await daemon?.close()
    const dying = await clientOf({
      answer(_request, response) {
        response.write('{"kind":"step"}\n', () => response.socket?.destroy())
      },
    })
    await expect(collect(dying)).rejects.toMatchObject({ kind: 'unavailable' })
  })

  it('stop where the caller has had enough', async () => {
    const abort = new AbortController()
    const client = await clientOf({ answer: (_request, response) => response.write('{"n":1}\n') })
    const lines = client.lines('systemEvents', { signal: abort.signal })
    await lines.next()
    abort.abort()
    await expect(lines.next()).rejects.toThrow()
  })
})

describe('a hijacked stream', () => {
  it('begins with what came along with the head', async () => {
    const client = await clientOf({
      upgrade(_request, socket) {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
        socket.write(encodeFrame(1, Buffer.from('hi')))
        socket.write(encodeFrame(3, Buffer.from('{"exitCode":0}')))
      },
    })
    const stream = await client.stream('run', { params: { app: 'blog' }, query: { command: '["ls"]' } })
    let output = ''
    await stream.run((_which, data) => {
      output += data
    })
    expect(output).toBe('hi')
    expect(daemon?.requests).toEqual(['POST /api/v1/apps/blog/run?command=%5B%22ls%22%5D'])
  })

  it('that is refused gives the problem', async () => {
    const client = await clientOf({
      upgrade(_request, socket) {
        const body = '{"kind":"not-found","message":"There is no app blog."}'
        socket.end(`HTTP/1.1 404 Not Found\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      },
    })
    await expect(client.stream('run', { params: { app: 'blog' } })).rejects.toMatchObject({
      kind: 'not-found',
      message: 'There is no app blog.',
    })
  })

  it('explains a socket that is gone', async () => {
    const client = await clientOf({})
    if (daemon?.address.kind === 'unix') rmSync(daemon.address.path)
    await expect(client.stream('run', { params: { app: 'blog' } })).rejects.toMatchObject({
      kind: 'unavailable',
    })
  })
})
