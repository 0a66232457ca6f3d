/** Another server's opinion: what Node's parser, llhttp, makes of the same bytes. @module */
import { createServer, type IncomingMessage, METHODS, type Server } from 'node:http'
import { Duplex } from 'node:stream'

export interface SeenRequest {
  method: string
  target: string
  host: string
  /** As far as it came. */
  body: Buffer
  /** The body has come to its end. */
  whole: boolean
  /** The connection went before the body could be looked at. */
  lost: boolean
}

export interface Opinion {
  requests: SeenRequest[]
  /** Why the parser gave up: `HPE_...`. */
  error: string | undefined
}

/** A socket without a wire: what is written to it is forgotten. */
class Wire extends Duplex {
  override _read(): void {}
  override _write(_chunk: unknown, _encoding: string, done: () => void): void {
    done()
  }
}

const known = new Set(METHODS)

/** llhttp refuses methods that it does not know. RFC 9110 9.1 has them answered by 501, and leaves the message as it is. */
export function isKnownMethod(method: string): boolean {
  return known.has(method)
}

export class Oracle {
  readonly #server: Server
  readonly #opinions = new WeakMap<object, Opinion>()

  constructor() {
    this.#server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, (req) =>
      this.#note(req),
    )
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const opinion = this.#opinions.get(socket)
      if (opinion) opinion.error = error.code ?? error.message
    })
  }

  #note(req: IncomingMessage): void {
    const opinion = this.#opinions.get(req.socket)!
    const { method = '', url: target = '', headers } = req
    const seen: SeenRequest = {
      method,
      target,
      host: headers.host ?? '',
      body: Buffer.alloc(0),
      whole: false,
      lost: true,
    }
    opinion.requests.push(seen)
    const pieces: Buffer[] = []
    req.on('error', () => {})
    req.on('data', (piece: Buffer) => pieces.push(piece))
    req.on('end', () => {
      seen.body = Buffer.concat(pieces)
      seen.whole = req.complete
      seen.lost = false
    })
    req.on('close', () => {
      seen.whole = req.complete
    })
  }

  /** For each list of pieces, as if each were a connection. */
  async judge(visits: ReadonlyArray<readonly Buffer[]>): Promise<Opinion[]> {
    const wires = visits.map((pieces) => {
      const wire = new Wire()
      wire.on('error', () => {})
      const opinion: Opinion = { requests: [], error: undefined }
      this.#opinions.set(wire, opinion)
      this.#server.emit('connection', wire)
      for (const piece of pieces) wire.push(piece)
      return { wire, opinion }
    })
    // Everything above was given in one turn; reading it takes a few.
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate)
    for (const { wire } of wires) wire.destroy()
    await new Promise(setImmediate)
    return wires.map(({ opinion }) => opinion)
  }

  close(): void {
    this.#server.close()
  }
}
