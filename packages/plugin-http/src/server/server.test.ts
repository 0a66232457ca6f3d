import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import nodeHttp from 'node:http'
import { join } from 'node:path'
import { type HttpHandler, HttpServer, notFound } from '@kernel/contracts'
import { createKernel } from '@kernel/kernel'
import { memoryLogger } from '@kernel/kernel/testing'
import { describe, expect, it } from 'vitest'
import { server as http } from '../http-plugin.ts'
import { connectRaw } from '../testing/raw-client.ts'
import { startTestServer } from '../testing/start-server.ts'

const echo: HttpHandler = async (request, env) => {
  const body = await request.text()
  const connection = env.hijack('text/plain', { 'X-Extra': 'yes' })
  connection.write(`body=${body};`)
  connection.on('data', (chunk) => connection.write(`echo:${chunk};`))
  connection.on('end', () => connection.end('bye'))
  return env.hijacked
}
const hijacks = (method: string, path: string) => method === 'POST' && path === '/echo/plain'

describe('the HTTP server', () => {
  it('listens on a unix socket that only its owner may use, and removes it at the end', async () => {
    const { socketPath, stop } = await startTestServer()
    expect(statSync(socketPath).mode & 0o777).toBe(0o600)
    await stop()
    expect(existsSync(socketPath)).toBe(false)
  })

  it('lets a group use the socket where one is named', async () => {
    const { socketPath } = await startTestServer({ socketGroup: 'root' })
    expect(statSync(socketPath).mode & 0o777).toBe(0o660)
    await expect(startTestServer({ socketGroup: 'no-such-group' })).rejects.toThrow(
      'There is no group "no-such-group"',
    )
  })

  it('refuses a socket that somebody answers on', async () => {
    const { socketPath } = await startTestServer()
    await expect(startTestServer({ hosts: [`unix://${socketPath}`] })).rejects.toThrow(
      'Another process listens',
    )
  })

  it('takes over a socket that a killed daemon left behind', async () => {
    const { dir, server } = await startTestServer()
    const stale = join(dir, 'stale.sock')
    const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
    spawnSync(process.execPath, ['-e', script, stale])
    expect(existsSync(stale)).toBe(true)
    server.mount('/plain/', () => new Response('plain'), { auth: 'caller' })
    await server.reload({ hosts: [`unix://${stale}`] })
    expect((await fetchUnix(stale, '/plain/')).body).toBe('plain')
  })

  it('holds requests until the daemon is ready', async () => {
    const { dir } = await startTestServer()
    const socketPath = join(dir, 'held.sock')
    const kernel = createKernel({
      log: memoryLogger(),
      plugins: [
        {
          plugin: http,
          config: { dataDir: join(dir, 'other'), hosts: [`unix://${socketPath}`], graceSec: 1 },
          firstParty: true,
        },
        {
          plugin: {
            ...http,
            name: 'slow',
            requires: [HttpServer],
            provides: [],
            config: undefined,
            async setup(ctx) {
              // The socket is open while this plugin is still starting: connect, ask, and only then mount.
              const early = await connectRaw(socketPath)
              early.write('GET /late/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
              answer = early.end()
              const server = ctx.use(HttpServer) as HttpServer
              server.mount('/late/', () => new Response('ready'), { auth: 'caller' })
            },
          },
          firstParty: true,
        },
      ],
    })
    let answer: Promise<Buffer> | undefined
    await kernel.start()
    expect((await answer!).toString()).toMatch(/^HTTP\/1.1 200 OK.*ready$/s)
    await kernel.stop()
  })

  it('answers 101 UPGRADED and hands the connection over, with body, head and half-close', async () => {
    const { server, socketPath } = await startTestServer()
    server.mount('/echo/', echo, { auth: 'caller' })
    const client = await connectRaw(socketPath)
    client.write(
      'POST /echo/x HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 5\r\n\r\nhello',
    )
    expect(await client.until('body=hello;')).toMatch(
      /^HTTP\/1.1 101 UPGRADED\r\nContent-Type: text\/plain\r\nX-Extra: yes\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n/,
    )
    client.write('a')
    await client.until('echo:a;')
    client.socket.end('b')
    expect((await client.end()).toString()).toMatch(/echo:b;bye$/)
  })

  it('takes a body in pieces before the upgraded bytes', async () => {
    const { server, socketPath } = await startTestServer()
    server.mount('/echo/', echo, { auth: 'caller' })
    const client = await connectRaw(socketPath)
    client.write(
      'POST /echo/x HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 5\r\n\r\nhe',
    )
    await new Promise((resolve) => setTimeout(resolve, 20))
    client.write('llorest')
    expect(await client.until('echo:rest;')).toContain('body=hello;')
    client.socket.destroy()
  })

  it('hijacks without upgrade on a kept connection, stdin in the same packet', async () => {
    const { server, socketPath } = await startTestServer()
    server.mount('/echo/', echo, { auth: 'caller', hijacks })
    server.mount('/plain/', () => new Response('plain'), { auth: 'caller' })
    const client = await connectRaw(socketPath)
    client.write('GET /plain/ HTTP/1.1\r\nHost: d\r\n\r\n')
    await client.until('plain')
    client.write('POST /echo/plain HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\n\r\n{}stdin at once')
    const text = await client.until('echo:stdin at once;')
    expect(text).toContain('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Extra: yes\r\n\r\nbody={};')
    client.socket.end('more')
    expect((await client.end()).toString()).toMatch(/echo:more;bye$/)
  })

  it('answers a failure of a hijacking request as HTTP', async () => {
    const { server, socketPath } = await startTestServer()
    const fail: HttpHandler = () => {
      throw notFound('No such container: x')
    }
    server.mount('/echo/', fail, { auth: 'caller', hijacks })
    for (const upgrade of ['', 'Connection: Upgrade\r\nUpgrade: tcp\r\n']) {
      const client = await connectRaw(socketPath)
      client.write(`POST /echo/plain HTTP/1.1\r\nHost: d\r\n${upgrade}Content-Length: 0\r\n\r\n`)
      const text = (await client.end()).toString()
      expect(text).toMatch(/^HTTP\/1.1 404 Not Found\r\n/)
      expect(text).toContain('"message":"No such container: x"')
    }
  })

  it('answers a request that offers h2c as HTTP/1.1', async () => {
    const { server, socketPath } = await startTestServer()
    server.mount('/plain/', () => new Response('plain'), { auth: 'caller' })
    const client = await connectRaw(socketPath)
    client.write(
      'GET /plain/ HTTP/1.1\r\nHost: /var/run/docker.sock\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n\r\n',
    )
    expect(await client.until('plain')).toMatch(/^HTTP\/1.1 200 OK/)
    client.socket.destroy()
  })

  it('tells the handler when the caller goes away', async () => {
    const { server, socketPath } = await startTestServer()
    const gone = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    server.mount(
      '/wait',
      (_request, { signal }) => {
        signal.addEventListener('abort', () => gone.resolve())
        begun.resolve()
        return new Promise(() => {})
      },
      { auth: 'caller' },
    )
    const client = await connectRaw(socketPath)
    client.write('GET /wait HTTP/1.1\r\nHost: d\r\n\r\n')
    await begun.promise
    client.socket.destroy()
    await gone.promise
  })

  it('lets a mount finish what is under way and refuses what comes later', async () => {
    const { server, socketPath } = await startTestServer()
    const release = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const unmount = server.mount(
      '/job',
      async (_request, { signal }) => {
        begun.resolve()
        await release.promise
        return new Response(`done, told to stop: ${signal.aborted}`)
      },
      { auth: 'caller' },
    )
    const first = fetchUnix(socketPath, '/job')
    await begun.promise
    const unmounted = unmount()
    expect((await fetchUnix(socketPath, '/job')).status).toBe(503)
    release.resolve()
    await unmounted
    expect((await first).body).toBe('done, told to stop: true')
  })

  it('opens and closes doors at a reload and leaves the others alone', async () => {
    const { server, dir, socketPath, url } = await startTestServer()
    server.mount('/plain/', () => new Response('plain'), { auth: 'handler' })
    const agent = new nodeHttp.Agent({ keepAlive: true, maxSockets: 1 })
    await fetchUnix(socketPath, '/plain/', { agent })
    const second = join(dir, 'second.sock')
    await server.reload({ hosts: [`unix://${socketPath}`, `unix://${second}`] })
    expect((await fetchUnix(second, '/plain/')).body).toBe('plain')
    expect((await fetchUnix(socketPath, '/plain/', { agent })).reused).toBe(true)
    await expect(fetch(`${url}/plain/`)).rejects.toThrow()
    await server.reload({ hosts: [`unix://${socketPath}`] })
    expect(existsSync(second)).toBe(false)
    agent.destroy()
  })
})

async function fetchUnix(
  socketPath: string,
  path: string,
  options: nodeHttp.RequestOptions = {},
): Promise<{ status: number; body: string; reused: boolean }> {
  return new Promise((resolve, reject) => {
    const request = nodeHttp.get({ socketPath, path, ...options }, async (response) => {
      let body = ''
      for await (const chunk of response) body += chunk
      resolve({ status: response.statusCode ?? 0, body, reused: request.reusedSocket })
    })
    request.on('error', reject)
  })
}
