/** Git over HTTP (gitprotocol-http(5)), the smart kind. @module */
import { PassThrough, Readable, Transform } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { createGunzip } from 'node:zlib'
import {
  type HttpEnvironment,
  type HttpHandler,
  invalid,
  type ProblemKind,
  problemOf,
  type Tokens,
  unauthorized,
} from '@kernel/contracts'
import type { Logger } from '@kernel/kernel'
import { type Context, Hono } from 'hono'
import type { Exchange } from '../command/exchange.ts'
import type { GitRequest, Handlers } from '../command/handle.ts'
import { appOfPath } from '../git/app-path.ts'

export interface SmartHttpOptions {
  tokens: Tokens
  handlers: Handlers
  log: Logger
  /** Most bytes of a push, unpacked. */
  packBytes: number
}

/** A fetch tells what it has and wants, in lines of 50 bytes. */
const longestFetchRequest = 64 * 1024 * 1024
/** Of refs and options, before the pack. */
const pushOverhead = 1024 * 1024

const statuses: Partial<Record<ProblemKind, 400 | 401 | 403 | 404 | 409 | 503 | 507>> = {
  invalid: 400,
  unauthorized: 401,
  denied: 403,
  'not-found': 404,
  conflict: 409,
  unavailable: 503,
  full: 507,
}

type Env = { Bindings: HttpEnvironment }

/** Answers `/git/<app>.git/info/refs`, `.../git-receive-pack` and `.../git-upload-pack`; nothing else is there. */
export function smartHttp({ tokens, handlers, log, packBytes }: SmartHttpOptions): HttpHandler {
  const app = new Hono<Env>()

  app.get('/git/:repository/info/refs', async (context) => {
    const service = serviceOf(context.req.query('service') ?? '')
    const request = { service, app: appOfPath(context.req.param('repository')) }
    const user = await identify(context)
    await handlers.authorize(user, request)
    // Protocol v2 begins with the capabilities at once, as in git-http-backend.
    const v2 =
      service === 'upload-pack' && /(^|:)version=2(:|$)/.test(context.req.header('git-protocol') ?? '')
    const head = v2 ? '' : `${packetLine(`# service=git-${service}\n`)}0000`
    const flags = ['--stateless-rpc', '--advertise-refs']
    return serve(
      context,
      { ...request, flags },
      user,
      Readable.from([]),
      `git-${service}-advertisement`,
      head,
    )
  })

  app.post('/git/:repository/:service{git-(?:receive|upload)-pack}', async (context) => {
    const service = serviceOf(context.req.param('service'))
    const request = { service, app: appOfPath(context.req.param('repository')) }
    const user = await identify(context)
    if (context.req.header('content-type') !== `application/x-git-${service}-request`)
      throw invalid('This is no request of git.')
    await handlers.authorize(user, request)
    const most = service === 'receive-pack' ? packBytes + pushOverhead : longestFetchRequest
    const body = requestBody(context.req.raw, most)
    return serve(context, { ...request, flags: ['--stateless-rpc'] }, user, body, `git-${service}-result`, '')
  })

  app.notFound((context) =>
    context.text('Nothing is here. Repositories are at /git/<app>.git, for git push and git clone.\n', 404),
  )

  app.onError((error, context) => {
    const problem = problemOf(error)
    if (!problem) log.error('A Git request failed', { error })
    const status = (problem && statuses[problem.kind]) ?? 500
    if (status === 401) context.header('WWW-Authenticate', 'Basic realm="kernel"')
    const text = problem ? [problem.message, problem.hint].filter(Boolean).join('\n') : 'The server failed.'
    return context.text(`${text}\n`, status)
  })

  /** By a token, as Bearer or as the password of Basic, whatever the user name: git asks for both. */
  async function identify(context: Context<Env>): Promise<string> {
    context.env.route = '/git/{app}'
    const header = context.req.header('authorization') ?? ''
    const [, scheme = '', value = ''] = /^(basic|bearer) +(\S+)$/i.exec(header) ?? []
    const pair = scheme.toLowerCase() === 'basic' ? Buffer.from(value, 'base64').toString('utf8') : ''
    const token = pair ? pair.slice(pair.indexOf(':') + 1) : value
    const info = token === '' ? undefined : await tokens.verify(token)
    if (info) return info.name
    throw unauthorized(header ? 'This token is not valid.' : 'A token is needed.', {
      hint: 'Make one on the server: kernel tokens:create NAME. Give it as the password; any user name will do.',
    })
  }

  /** Starts git and answers what it prints, as it prints it. */
  function serve(
    context: Context<Env>,
    request: GitRequest,
    user: string,
    input: Readable,
    type: string,
    head: string,
  ): Promise<Response> {
    const gone = new AbortController()
    let first = head
    const output = new Transform({
      transform(data: Buffer, _encoding, done) {
        if (first) this.push(first)
        first = ''
        done(null, data)
      },
    })
    output.once('close', () => gone.abort())
    context.env.signal.addEventListener('abort', () => gone.abort())
    const protocol = context.req.header('git-protocol')
    const exchange: Exchange = {
      user,
      input,
      output,
      error: new PassThrough().resume(), // git tells its client over the sideband
      gone: gone.signal,
      env: protocol === undefined ? {} : { GIT_PROTOCOL: protocol },
    }
    const { promise, resolve, reject } = Promise.withResolvers<Response>()
    const answer = () =>
      resolve(
        new Response(Readable.toWeb(output) as globalThis.ReadableStream, {
          headers: {
            'Content-Type': `application/x-${type}`,
            'Cache-Control': 'no-cache, max-age=0, must-revalidate',
            Expires: 'Fri, 01 Jan 1980 00:00:00 GMT',
            Pragma: 'no-cache',
          },
        }),
      )
    // What fails before git prints has a status of its own.
    output.once('readable', answer)
    handlers.git(request, exchange).then(
      () => {
        output.end()
        answer()
      },
      (error: unknown) => {
        reject(error)
        output.destroy(error as Error)
      },
    )
    output.on('error', (error) => log.debug('A Git request broke', { error }))
    return promise
  }

  return (request, env) => app.fetch(request, env)
}

function serviceOf(name: string): 'receive-pack' | 'upload-pack' {
  if (name === 'git-receive-pack') return 'receive-pack'
  if (name === 'git-upload-pack') return 'upload-pack'
  throw invalid('This server speaks the smart HTTP protocol only.', { hint: 'Use git 1.6.6 or newer.' })
}

/** gitprotocol-common(5), pkt-line. */
const packetLine = (text: string) => (text.length + 4).toString(16).padStart(4, '0') + text

/** The body, unpacked where git has compressed it, cut off with an error beyond `most` bytes. */
function requestBody(request: Request, most: number): Readable {
  const raw = request.body ? Readable.fromWeb(request.body as ReadableStream) : Readable.from([])
  const encoding = request.headers.get('content-encoding') ?? 'identity'
  if (!['identity', 'gzip', 'x-gzip'].includes(encoding))
    throw invalid(`The content encoding ${encoding} is not understood.`)
  let size = 0
  const bounded = new Transform({
    transform(data: Buffer, _encoding, done) {
      size += data.length
      done(size > most ? new Error(`the request is larger than ${most} bytes`) : null, data)
    },
  })
  const stages = encoding === 'identity' ? [raw] : [raw, createGunzip()]
  stages.reduce((from, to) => {
    from.once('error', (error) => to.destroy(error))
    return from.pipe(to as Transform)
  })
  const last = stages.at(-1)!
  last.once('error', (error) => bounded.destroy(error))
  return last.pipe(bounded)
}
