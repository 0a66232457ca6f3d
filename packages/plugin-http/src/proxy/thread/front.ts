/** The server that visitors meet, with everything that bounds them. @module */
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Site } from './site.ts'
import { Visit } from './visit.ts'

/**
 * A server that makes a visit of every request. Node's parser is strict: it refuses what two servers could read in
 * two ways (RFC 9112 6.3: both Content-Length and Transfer-Encoding, several lengths, folded lines, bare LF) and
 * answers 400, 408, 413 or 431 itself.
 */
export function createFront(site: Site): Server {
  const { settings } = site
  const server = createServer({
    maxHeaderSize: settings.maxHeaderBytes,
    headersTimeout: settings.headersTimeoutMs,
    // An upload may take hours; its exchange watches that it goes on.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(5_000, settings.headersTimeoutMs),
    keepAliveTimeout: settings.keepAliveMs,
    noDelay: true,
    insecureHTTPParser: false,
    requireHostHeader: true,
    // Clients that only offer HTTP/2 are content with HTTP/1.1. RFC 9110 7.8.
    shouldUpgradeCallback: (req: IncomingMessage) => !/\bh2c\b/i.test(req.headers.upgrade ?? ''),
  })
  // One more than is allowed, so that a request with too many is seen as such and not silently cut.
  server.maxHeadersCount = settings.maxHeaders + 1

  const begin = (req: IncomingMessage, res: ServerResponse, upgrade: boolean) => {
    try {
      new Visit(site, req, res, upgrade).begin()
    } catch (error) {
      // One request must never end the thread, and with it all others.
      site.warn('A request failed inside the edge', { error: (error as Error).stack ?? String(error) })
      req.socket.destroy()
    }
  }
  server.on('request', (req, res) => begin(req, res, false))
  server.on('checkContinue', (req, res) => begin(req, res, false))
  server.on('upgrade', (req, socket: Socket, head) => {
    socket.on('error', () => socket.destroy())
    // At once, so that it stays in front of an end that follows.
    if (head.length > 0) socket.unshift(head)
    const res = new ServerResponse(req)
    res.shouldKeepAlive = false
    res.assignSocket(socket)
    res.on('finish', () => {
      socket.end()
      socket.resume()
    })
    begin(req, res, true)
  })
  return server
}
