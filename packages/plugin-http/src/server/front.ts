import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Exchange } from './exchange.ts'
import { catchHijacks } from './hijack.ts'

export interface FrontOptions {
  /** PEM texts; undefined: plain HTTP. */
  tls?: TlsMaterial
  /** How long an idle connection is kept, in milliseconds; 0: for ever. */
  keepAliveMs: number
  /** Whether a request that asks for no upgrade takes the connection over all the same. */
  takesOver(method: string, path: string): boolean
  serve(exchange: Exchange): void
}

export interface TlsMaterial {
  cert: string
  key: string
  /** With it, only clients with a certificate that it signed are let in. */
  ca?: string
}

/**
 * An HTTP server before it listens. Connections are accepted at once but not read before `open`, so that
 * the daemon may start behind a socket that answers.
 */
export interface Front {
  readonly server: http.Server | https.Server
  open(): void
  setTls(tls: TlsMaterial): void
  /** Accepts nothing new, waits for answers under way, at most `graceMs`, then cuts what is left. */
  close(graceMs: number): Promise<void>
}

export function createFront({ tls, keepAliveMs, takesOver, serve }: FrontOptions): Front {
  const options: https.ServerOptions = {
    // Uploads and event streams may take hours.
    requestTimeout: 0,
    headersTimeout: 60_000,
    // The passwords of many registries may come along with a build.
    maxHeaderSize: 128 * 1024,
    keepAliveTimeout: keepAliveMs,
    keepAlive: true,
    noDelay: true,
    // Java's clients ask for h2c on every first request; that is no reason to leave HTTP/1.1.
    // Nor are WebSockets, but where one is served.
    shouldUpgradeCallback: ({ method = '', url = '', headers: { upgrade = '' } }) =>
      !/^h2c$/i.test(upgrade) && (!/^websocket$/i.test(upgrade) || takesOver(method, url.split('?', 1)[0]!)),
  }
  const server = tls
    ? https.createServer({ ...options, ...secure(tls), allowHalfOpen: true })
    : http.createServer(options)
  const connections = new Set<Duplex>()
  const hold = holdConnections(server)
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  catchHijacks(server, { event: tls ? 'secureConnection' : 'connection', takesOver, serve })
  server.on('request', (incoming, outgoing) => serve({ incoming, outgoing }))

  async function close(graceMs: number): Promise<void> {
    hold.drop()
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeIdleConnections()
    const cut = setTimeout(() => {
      for (const connection of connections) connection.destroy()
    }, graceMs)
    await closed
    clearTimeout(cut)
  }

  return {
    server,
    open: hold.release,
    setTls: (next) => {
      if (server instanceof https.Server) server.setSecureContext(secure(next))
    },
    close,
  }
}

function secure({ cert, key, ca }: TlsMaterial): https.ServerOptions {
  return {
    cert,
    key,
    minVersion: 'TLSv1.2',
    ...(ca !== undefined && { ca, requestCert: true, rejectUnauthorized: true }),
  }
}

/** Puts a gate before what the server does with a connection. What waits is not read, so it costs no memory. */
function holdConnections(server: http.Server): { release(): void; drop(): void } {
  const begin = server.listeners('connection') as Array<(socket: Socket) => void>
  const held = new Set<Socket>()
  const gate = server as http.Server & { pauseOnConnect: boolean }
  gate.pauseOnConnect = true
  server.removeAllListeners('connection')
  const keep = (socket: Socket) => {
    held.add(socket)
    socket.once('close', () => held.delete(socket))
    socket.on('error', () => held.delete(socket))
  }
  server.on('connection', keep)

  return {
    release() {
      if (!gate.pauseOnConnect) return
      gate.pauseOnConnect = false
      server.off('connection', keep)
      // What was put on meanwhile (the hijacking) stays behind what the server does itself.
      const later = server.listeners('connection') as typeof begin
      server.removeAllListeners('connection')
      for (const listener of [...begin, ...later]) server.on('connection', listener)
      for (const socket of held) {
        server.emit('connection', socket)
        socket.resume()
      }
      held.clear()
    },
    drop() {
      for (const socket of held) socket.destroy()
    },
  }
}
