/** One request to the daemon, over its socket or TCP. @module */
import type * as http from 'node:http'
import type { Duplex } from 'node:stream'
import { type ApiRouteName, apiRoutes, Problem, type ProblemKind, unavailable } from '@kernel/contracts'
import { type Address, showAddress } from './address.ts'

export interface CallOptions {
  /** Fill `{app}` and the like in the route's path. */
  params?: Record<string, string>
  query?: Record<string, string | number | boolean | string[] | undefined>
  body?: unknown
  signal?: AbortSignal
}

/** `/api/v1` and the route's path, with its parameters encoded. */
export function routePath(name: ApiRouteName, { params = {}, query = {} }: CallOptions = {}): string {
  const path = apiRoutes[name].path.replace(/\{(\w+)\}/g, (_, key: string) => {
    const value = params[key]
    if (value === undefined) throw new TypeError(`route ${name} needs ${key}`)
    return encodeURIComponent(value)
  })
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined) search.append(key, String(one))
  const text = search.toString()
  return `/api/v1${path}${text ? `?${text}` : ''}`
}

/** Opens requests to one daemon. @throws Problem with the kind that the daemon gave; unavailable where none answers */
export class Connection {
  readonly address: Address

  constructor(address: Address) {
    this.address = address
  }

  /** Sends the request; resolves with the answer's head once its status says success. */
  async open(name: ApiRouteName, options: CallOptions = {}): Promise<http.IncomingMessage> {
    const body = options.body === undefined ? undefined : JSON.stringify(options.body)
    const { method } = apiRoutes[name]
    const headers = body ? { 'content-type': 'application/json' } : {}
    const request = this.#send(method, routePath(name, options), headers, options.signal)
    const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
      request.once('response', resolve)
      request.once('error', (error) => reject(this.#explain(error)))
      request.end(body)
    })
    if ((answer.statusCode ?? 500) >= 400) throw await problemFrom(answer)
    return answer
  }

  /** Sends an upgrade; resolves with the raw connection once the daemon has switched over. */
  hijack(name: ApiRouteName, options: CallOptions = {}): Promise<Duplex> {
    return this.upgrade(apiRoutes[name].method, routePath(name, options), options.signal)
  }

  /** The same for a path that a plugin answers for, such as `/git/ssh`. */
  async upgrade(method: string, path: string, signal?: AbortSignal): Promise<Duplex> {
    const request = this.#send(method, path, { connection: 'Upgrade', upgrade: 'tcp' }, signal)
    return new Promise((resolve, reject) => {
      request.once('upgrade', (_answer, socket, head) => {
        if (head.length > 0) socket.unshift(head)
        resolve(socket)
      })
      request.once('response', (answer) => problemFrom(answer).then(reject, reject))
      request.once('error', (error) => reject(this.#explain(error)))
      request.end()
    })
  }

  #send(
    method: string,
    path: string,
    headers: http.OutgoingHttpHeaders,
    signal?: AbortSignal,
  ): http.ClientRequest {
    const { address } = this
    const common: http.RequestOptions = {
      method,
      path,
      headers: { accept: 'application/json', 'user-agent': 'kernel-cli', ...headers },
      signal,
    }
    // By `import`, node:http would load all that it can export, undici among it: 40 ms of every command.
    const client = process.getBuiltinModule(
      address.kind === 'tcp' && address.protocol === 'https' ? 'node:https' : 'node:http',
    )
    if (address.kind === 'unix') return client.request({ ...common, socketPath: address.path })
    if (address.token) common.headers = { ...common.headers, authorization: `Bearer ${address.token}` }
    return client.request({ ...common, host: address.host, port: address.port })
  }

  #explain(error: NodeJS.ErrnoException): Error {
    const at = showAddress(this.address)
    if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED')
      return unavailable(`No daemon answers at ${at}.`, {
        hint: 'Start it with `kernel daemon`, or name another with --host or KERNEL_HOST',
        cause: error,
      })
    if (error.code === 'EACCES' || error.code === 'EPERM')
      return new Problem('denied', `You may not use the daemon's socket ${at}.`, {
        hint: "Run the command as the daemon's user (sudo kernel ...), or use a token over TCP",
        cause: error,
      })
    if (error.name === 'AbortError') return error
    return unavailable(`The connection to ${at} broke: ${error.message}`, { cause: error })
  }
}

/** Reads the whole answer as text, at most 64 MiB. */
export async function textOf(answer: http.IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of answer as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > 64 << 20) throw new Problem('failed', 'The daemon answered more than 64 MiB.')
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

async function problemFrom(answer: http.IncomingMessage): Promise<Problem> {
  const text = await textOf(answer)
  try {
    const { kind, message, hint } = JSON.parse(text) as {
      kind?: ProblemKind
      message?: string
      hint?: string
    }
    if (message) return new Problem(kind ?? 'failed', message, { hint })
  } catch {
    // Not from the product's API: a proxy in between, say.
  }
  return new Problem(
    'failed',
    `The daemon answered ${answer.statusCode}: ${text.slice(0, 300) || answer.statusMessage}`,
  )
}
