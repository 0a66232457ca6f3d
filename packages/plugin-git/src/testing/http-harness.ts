/** A small HTTP server that calls mounted handlers as the daemon's does. For tests. @module */
import { createServer, type IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type HttpEnvironment, type HttpHandler, type HttpServer, problemOf } from '@kernel/contracts'

export interface HttpHarness {
  service: Pick<HttpServer, 'mount' | 'addresses'>
  port: number
  /** Headers and status of the requests so far. */
  requests: Array<{ method: string; url: string; headers: IncomingMessage['headers']; status: number }>
  close(): Promise<void>
}

export async function httpHarness(): Promise<HttpHarness> {
  const mounts = new Map<string, HttpHandler>()
  const requests: HttpHarness['requests'] = []

  function find(path: string): HttpHandler | undefined {
    const prefixes = [...mounts.keys()].sort((a, b) => b.length - a.length)
    const prefix = prefixes.find((each) => path.startsWith(each))
    return prefix === undefined ? undefined : mounts.get(prefix)
  }

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse, socket?: Socket): Promise<void> {
    const url = new URL(incoming.url ?? '/', 'http://localhost')
    const gone = new AbortController()
    const hijacked = new Response()
    outgoing.once('close', () => gone.abort())
    const env: HttpEnvironment = {
      caller: 'local',
      signal: gone.signal,
      upgradable: socket !== undefined,
      hijacked,
      hijack(type) {
        outgoing.detachSocket(socket!)
        socket!.write(
          `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
        )
        return socket!
      },
      takeUpgrade() {
        outgoing.detachSocket(socket!)
        return { request: incoming, socket: socket! }
      },
    }
    const hasBody = incoming.method === 'POST' && socket === undefined
    const request = new Request(url, {
      method: incoming.method,
      headers: Object.entries(incoming.headersDistinct).flatMap(([name, values = []]) =>
        values.map((value): [string, string] => [name, value]),
      ),
      ...(hasBody && { body: Readable.toWeb(incoming) as ReadableStream, duplex: 'half' }),
    } as RequestInit)
    const handler = find(url.pathname) ?? (() => new Response('no mount', { status: 404 }))
    const response = await Promise.resolve(handler(request, env)).catch((error: unknown) => {
      const { kind, message, hint } = problemOf(error)!
      return Response.json({ kind, message, hint }, { status: 403 })
    })
    requests.push({
      method: request.method,
      url: `${url.pathname}${url.search}`,
      headers: incoming.headers,
      status: response.status,
    })
    if (response === hijacked) return
    outgoing.writeHead(response.status, Object.fromEntries(response.headers))
    if (response.body) await pipeline(Readable.fromWeb(response.body as never), outgoing)
    else outgoing.end()
  }

  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => outgoing.destroy())
  })
  server.on('upgrade', (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
    if (head.length > 0) socket.unshift(head)
    const outgoing = new ServerResponse(incoming)
    outgoing.shouldKeepAlive = false
    outgoing.assignSocket(socket)
    outgoing.once('finish', () => socket.end())
    serve(incoming, outgoing, socket).catch(() => socket.destroy())
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    port,
    requests,
    service: {
      mount(prefix, handler) {
        mounts.set(prefix, handler)
        return async () => void mounts.delete(prefix)
      },
      addresses: async () => [`http://127.0.0.1:${port}`],
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
