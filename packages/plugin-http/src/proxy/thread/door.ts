/** Where visitors come in: accepts connections, finds out who they are, and which protocol they speak. @module */
import { createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket, type TLSSocketOptions } from 'node:tls'
import type { ListenPoint } from '../messages.ts'
import { ACME_TLS, type Certificates } from './certificates.ts'
import { readClientHello } from './client-hello.ts'
import { H1Visitor } from './h1-visitor.ts'
import { serveHttp2 } from './h2-visitor.ts'
import { isTrusted, type Peer, plainAddress } from './peer.ts'
import { readProxyHeader } from './proxy-protocol.ts'
import type { Site } from './site.ts'

/** A connection, for its thread's end. */
export interface Guest {
  /** Ends it as soon as no request is under way. */
  close(): void
  destroy(): void
}

export interface DoorOptions {
  site: Site
  point: ListenPoint
  certificates: Certificates
  guests: Set<Guest>
}

export function createDoor({ site, point, certificates, guests }: DoorOptions): Server {
  const { settings } = site
  // Without any certificate a handshake fails, as it must.
  const bare = point.tls ? createSecureContext({ minVersion: 'TLSv1.2' }) : undefined

  function peerOf(socket: Socket): Peer {
    const address = plainAddress(socket.remoteAddress ?? '')
    return {
      address,
      localPort: socket.localPort ?? 0,
      secure: point.tls,
      trusted: isTrusted(site.trusted, address),
    }
  }

  function welcome(socket: Socket): void {
    const peer = peerOf(socket)
    const announced = settings.proxyProtocol && (peer.trusted || settings.trustedProxies.length === 0)
    if (!announced && !certificates.awaitsTls) {
      enter(socket, peer)
      return
    }
    const guest = { close: () => socket.destroy(), destroy: () => socket.destroy() }
    guests.add(guest)
    const timer = setTimeout(() => socket.destroy(), settings.headersTimeoutMs)
    const gone = () => {
      clearTimeout(timer)
      guests.delete(guest)
    }
    socket.once('close', gone)
    socket.on('error', ignore)
    if (announced) readAhead(socket, (buf) => announce(peer, buf), proceed)
    else proceed(peer)

    function proceed(known: Peer): void {
      if (bare && certificates.awaitsTls) readAhead(socket, lookAtHello, pass)
      else pass(() => enter(socket, known))

      function lookAtHello(buf: Buffer): Look<() => void> {
        if (buf[0] === 22 && (buf.length < 5 || buf.length < 5 + buf.readUInt16BE(3))) return undefined
        const hello = readClientHello(buf)
        const asked = hello?.protocols.includes(ACME_TLS) ? hello.serverName : undefined
        const found = asked === undefined ? () => enter(socket, known) : () => prove(socket, asked)
        return { found, skip: 0 }
      }
    }
    function pass(go: () => void): void {
      gone()
      socket.removeListener('close', gone)
      socket.removeListener('error', ignore)
      go()
    }
  }

  /** Takes the header of the PROXY protocol away. */
  function announce(peer: Peer, buf: Buffer): Look<Peer> {
    const header = readProxyHeader(buf)
    if (header === undefined || header === 'bad') return header
    const skip = header.size
    if (header.address === undefined) return { found: peer, skip }
    const address = plainAddress(header.address)
    const localPort = header.localPort ?? peer.localPort
    return { found: { ...peer, address, localPort, trusted: isTrusted(site.trusted, address) }, skip }
  }

  function enter(socket: Socket, peer: Peer): void {
    if (!bare) {
      speakHttp1(socket, peer)
      return
    }
    // For who names no host, and for a host that has none of its own.
    const first = certificates.contextFor(undefined) ?? bare
    const options = { secureContext: first, ALPNProtocols: ['h2', 'http/1.1'] }
    const choose = (name: string) => certificates.contextFor(name) ?? first
    shakeHands(socket, options, choose, (tls) => {
      if (tls.alpnProtocol !== 'h2') {
        speakHttp1(tls, peer)
        return
      }
      const guest = serveHttp2(site, tls, peer, () => guests.delete(guest))
      guests.add(guest)
      if (site.closing) guest.close()
    })
  }

  /** RFC 8737 3: an ACME server wants to see a certificate, and nothing else. */
  function prove(socket: Socket, name: string): void {
    const context = certificates.challengeFor(name)
    if (!context) socket.destroy()
    // This one, also where the name has a certificate that is about to be renewed.
    else
      shakeHands(
        socket,
        { secureContext: context, ALPNProtocols: [ACME_TLS] },
        () => context,
        (tls) => tls.end(),
      )
  }

  function speakHttp1(socket: Socket, peer: Peer): void {
    const guest: Guest = { close: () => visitor.closeIfIdle(), destroy: () => visitor.destroy() }
    const visitor = new H1Visitor(site, socket, peer, () => guests.delete(guest))
    guests.add(guest)
    if (site.closing) visitor.closeIfIdle()
  }

  function shakeHands(
    socket: Socket,
    options: TLSSocketOptions,
    choose: (name: string) => SecureContext,
    then: (tls: TLSSocket) => void,
  ): void {
    const tls = new TLSSocket(socket, {
      ...options,
      isServer: true,
      SNICallback: (name, done) => done(null, choose(name)),
    })
    const guest = { close: () => tls.destroy(), destroy: () => tls.destroy() }
    guests.add(guest)
    const timer = setTimeout(() => tls.destroy(), settings.headersTimeoutMs)
    const over = () => {
      clearTimeout(timer)
      guests.delete(guest)
    }
    const fail = () => {
      over()
      tls.destroy()
      socket.destroy()
    }
    tls.on('error', fail)
    tls.once('close', over)
    tls.once('secure', () => {
      over()
      tls.removeListener('close', over)
      then(tls)
      tls.removeListener('error', fail)
    })
  }

  return createServer({ allowHalfOpen: true, noDelay: true }, welcome)
}

/** Most of what comes in front of a request, and of a ClientHello. */
const MAX_AHEAD = 17 << 10

/**
 * Reads until `look` knows what it wanted to know, and puts everything back for whoever reads next.
 * `look` answers undefined where it needs more.
 */
function readAhead<T>(socket: Socket, look: (buf: Buffer) => Look<T>, then: (found: T) => void): void {
  let seen: Buffer = Buffer.alloc(0)
  const onData = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk])
    const result = look(seen)
    if (result === undefined) {
      if (seen.length > MAX_AHEAD) socket.destroy()
      return
    }
    socket.removeListener('data', onData)
    socket.removeListener('end', onEnd)
    socket.pause()
    if (result === 'bad') return void socket.destroy()
    if (seen.length > result.skip) socket.unshift(seen.subarray(result.skip))
    // What was put back is read by the next listener only after this turn.
    setImmediate(() => {
      if (socket.destroyed) return
      then(result.found)
      socket.resume()
    })
  }
  const onEnd = () => void socket.destroy()
  socket.on('data', onData)
  socket.on('end', onEnd)
}
type Look<T> = { found: T; skip: number } | 'bad' | undefined

function ignore(): void {}
