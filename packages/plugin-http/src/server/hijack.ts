import http, { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Exchange } from './exchange.ts'

interface CatchOptions {
  event: 'connection' | 'secureConnection'
  takesOver(method: string, path: string): boolean
  serve(exchange: Exchange): void
}

/** Longest body of a hijacking request without upgrade, in bytes; exec's start sends some 50. */
const longestBody = 1024 * 1024

/** Requests whose body node did not read, because it was told that they leave HTTP. */
const unread = new WeakSet<IncomingMessage>()

/**
 * Leads requests that take the connection over into the same `serve` as all others: those that ask for an
 * upgrade, and those of old Docker clients that just go on talking after the answer's head.
 *
 * For the latter node's HTTP parser has to let go of the connection at the end of the request's head. It does
 * so for CONNECT and upgrades, by what `onIncoming` answers: 2 means that what follows is no HTTP (llhttp,
 * `on_headers_complete`).
 */
export function catchHijacks(server: http.Server, { event, takesOver, serve }: CatchOptions): void {
  server.on(event, (socket: Socket) => {
    const parser = (socket as unknown as { parser?: NodeParser }).parser
    if (parser === undefined) return
    const onIncoming = parser.onIncoming
    parser.onIncoming = (incoming, keepAlive) => {
      if (incoming.upgrade || !isPlainHijack(incoming, takesOver)) return onIncoming(incoming, keepAlive)
      incoming.upgrade = true
      unread.add(incoming)
      return 2
    }
  })
  server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    if ('setTimeout' in socket) (socket as Socket).setTimeout(0)
    if (!unread.has(incoming)) {
      if (head.length > 0) socket.unshift(head)
      return begin(incoming, socket, incoming.headers.upgrade ?? 'tcp')
    }
    readBody(socket, head, Number(incoming.headers['content-length'] ?? 0)).then(
      (body) => {
        // The adapter of Hono takes a body from here, as platforms that read it beforehand leave it.
        Object.assign(incoming, { rawBody: body })
        begin(incoming, socket, undefined)
      },
      () => socket.destroy(),
    )
  })

  function begin(incoming: IncomingMessage, socket: Duplex, upgrade: string | undefined): void {
    const outgoing = new ServerResponse(incoming)
    outgoing.shouldKeepAlive = false
    outgoing.assignSocket(socket as Socket)
    // As after any answer with `Connection: close`: sent to the last byte, then gone, whatever the client does.
    outgoing.once('finish', () => socket.end(() => socket.destroy()))
    serve({
      incoming,
      outgoing,
      hijackable: {
        take: (headers) => take(outgoing, socket, upgrade, headers),
        takeRaw: () => {
          outgoing.detachSocket(socket as Socket)
          return socket
        },
      },
    })
  }
}

interface NodeParser {
  onIncoming(incoming: IncomingMessage & { upgrade?: boolean }, keepAlive: boolean): number
}

function isPlainHijack(
  { method = '', url = '', headers }: IncomingMessage,
  takesOver: CatchOptions['takesOver'],
) {
  const length = Number(headers['content-length'] ?? 0)
  return (
    headers['transfer-encoding'] === undefined &&
    length <= longestBody &&
    takesOver(method, url.split('?', 1)[0]!)
  )
}

function take(
  outgoing: ServerResponse,
  socket: Duplex,
  upgrade: string | undefined,
  headers: Record<string, string>,
): Duplex {
  outgoing.detachSocket(socket as Socket)
  const status = upgrade === undefined ? 'HTTP/1.1 200 OK' : 'HTTP/1.1 101 UPGRADED'
  const all = upgrade === undefined ? headers : { ...headers, Connection: 'Upgrade', Upgrade: upgrade }
  const lines = Object.entries(all).map(([name, value]) => {
    http.validateHeaderValue(name, value)
    return `${name}: ${value}\r\n`
  })
  socket.write(`${status}\r\n${lines.join('')}\r\n`)
  return socket
}

/** The next `length` bytes, of which `head` has come already; what follows stays in the socket. */
function readBody(socket: Duplex, head: Buffer, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const add = (chunk: Buffer) => {
      chunks.push(chunk)
      size += chunk.length
      if (size < length) return
      socket.off('data', add).off('end', fail).off('close', fail)
      socket.pause()
      const all = Buffer.concat(chunks)
      if (size > length)
        socket.unshift(all.subarray(length))
        // As it was before anyone listened: the next 'data' listener starts the flow again.
      ;(socket as Duplex & { readableFlowing: boolean | null }).readableFlowing = null
      resolve(all.subarray(0, length))
    }
    const fail = () => reject(new Error('The connection ended inside a request'))
    socket.on('data', add).on('end', fail).on('close', fail)
    add(head)
  })
}
