/** Connections that have changed to another protocol. @module */
import type { Socket } from 'node:net'
import { closeFrame, WebSocketFrames } from './websocket-frames.ts'

export interface TunnelSide {
  socket: Socket
  /** What came behind the head. */
  rest: Buffer
  /** It sends no more. */
  ended: boolean
}

export interface TunnelOptions {
  /** The place of the target in the shared counts. */
  slot: number
  websocket: boolean
  visitor: TunnelSide
  target: TunnelSide
  done(): void
}

/** RFC 6455 7.4.1 and the IANA registry: the service restarts, try again. */
const SERVICE_RESTART = 1012
/** Time for the other side to answer a close frame. */
const CLOSE_MS = 2_000

/** The tunnels of a thread. */
export class Tunnels {
  readonly #open = new Set<Tunnel>()

  open(options: TunnelOptions): void {
    const tunnel = new Tunnel(options, () => {
      this.#open.delete(tunnel)
      options.done()
    })
    this.#open.add(tunnel)
  }

  /** Ends those to these targets. WebSockets hear why. */
  close(slots: ReadonlySet<number>): void {
    for (const tunnel of [...this.#open]) if (slots.has(tunnel.slot)) tunnel.close()
  }

  /** Tells all WebSockets to end, which have no end of their own. */
  closeWebSockets(): void {
    for (const tunnel of [...this.#open]) if (tunnel.isWebSocket) tunnel.close()
  }

  cut(): void {
    for (const tunnel of [...this.#open]) tunnel.cut()
  }
}

/**
 * Passes bytes both ways, each with its own back-pressure, until both sides have ended. The end of one direction is
 * passed on and leaves the other open; a failure of either side ends both.
 */
class Tunnel {
  readonly slot: number
  readonly #ways: Way[]
  readonly #sockets: Socket[]
  readonly isWebSocket: boolean
  #open = 2

  constructor({ slot, websocket, visitor, target }: TunnelOptions, done: () => void) {
    this.slot = slot
    this.isWebSocket = websocket
    this.#sockets = [visitor.socket, target.socket]
    this.#ways = [new Way(visitor, target.socket, websocket), new Way(target, visitor.socket, websocket)]
    for (const socket of this.#sockets) {
      socket.on('error', this.cut)
      socket.on('close', () => {
        this.#open--
        // Whoever closes without having ended was cut off, and the other side must hear of it.
        if (!socket.readableEnded || !socket.writableFinished) this.cut()
        if (this.#open === 0) done()
      })
    }
    for (const way of this.#ways) way.start()
    // A visitor who left before there was a tunnel.
    if (this.#sockets.some((socket) => socket.destroyed)) {
      const closed = this.#sockets.filter((socket) => socket.closed).length
      this.#open -= closed
      this.cut()
      if (this.#open === 0) done()
    }
  }

  /** A WebSocket is told that it ends, at the end of a message's frame; whatever else there is, is cut. */
  close(): void {
    if (!this.isWebSocket) {
      this.cut()
      return
    }
    // To the visitor as its server would, to the target as its client would.
    this.#ways[1]!.closeWith(closeFrame(SERVICE_RESTART, 'restarting', false))
    this.#ways[0]!.closeWith(closeFrame(SERVICE_RESTART, 'restarting', true))
    setTimeout(this.cut, CLOSE_MS).unref()
  }

  cut = (): void => {
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** One direction. */
class Way {
  readonly #from: TunnelSide
  readonly #to: Socket
  readonly #frames: WebSocketFrames | undefined
  #closing: Buffer | undefined
  #closed = false

  constructor(from: TunnelSide, to: Socket, websocket: boolean) {
    this.#from = from
    this.#to = to
    this.#frames = websocket ? new WebSocketFrames() : undefined
  }

  start(): void {
    const { socket, rest, ended } = this.#from
    socket.on('data', this.#pass)
    socket.on('end', () => this.#to.end())
    this.#to.on('drain', () => socket.resume())
    if (rest.length > 0) this.#pass(rest)
    if (ended) this.#to.end()
    socket.resume()
  }

  /** Puts a frame behind the one that passes now, and lets nothing follow. */
  closeWith(frame: Buffer): void {
    if (this.#frames!.closed || this.#closed) return
    this.#closing = frame
    if (this.#frames!.between) this.#finish()
  }

  #pass = (chunk: Buffer): void => {
    if (this.#closed) return
    const { socket } = this.#from
    const frameEnd = this.#frames?.pass(chunk) ?? -1
    if (this.#closing && frameEnd >= 0) {
      this.#to.write(chunk.subarray(0, frameEnd))
      this.#finish()
      return
    }
    if (!this.#to.write(chunk)) socket.pause()
  }

  #finish(): void {
    this.#closed = true
    if (this.#closing && this.#to.writable) this.#to.end(this.#closing)
  }
}
