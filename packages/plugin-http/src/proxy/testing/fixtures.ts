/** An edge on loopback and fake apps behind it, for the tests of this folder. @module */
import {
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  type RequestOptions,
  request,
  type Server,
} from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Route, Target } from '@kernel/contracts'
import { type MemoryLogger, memoryLogger } from '@kernel/kernel/testing'
import { expect } from 'vitest'
import { edgeConfig, settingsOf } from '../config.ts'
import { createEdge, type Edge } from '../edge.ts'

export type Settings = Partial<ReturnType<typeof settingsOf>>

/** What a test opened, closed in reverse by `closeAll`. */
const opened: Array<() => unknown> = []

export async function closeAll(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close()
}

export function onClose(close: () => unknown): void {
  opened.push(close)
}

export interface TestEdge {
  edge: Edge
  port: number
  /** 0 without TLS. */
  tlsPort: number
  log: MemoryLogger
}

/** An edge with two threads on a free port; ready unless told. */
export async function openEdge(
  settings: Settings = {},
  { ready = true, threads = 2, tls = false }: { ready?: boolean; threads?: number; tls?: boolean } = {},
): Promise<TestEdge> {
  const log = memoryLogger()
  const defaults = settingsOf(edgeConfig.parse({ dataDir: '/nowhere' }))
  const edge = await createEdge({
    listen: ['127.0.0.1:0'],
    ...(tls && { listenTls: ['127.0.0.1:0'] }),
    threads,
    settings: { ...defaults, ...settings },
    log,
  })
  opened.push(() => edge.close(0))
  if (ready) await edge.ready()
  const listeners = await edge.listeners()
  return { edge, port: listeners[0]!.port, tlsPort: listeners[1]?.port ?? 0, log }
}

export interface FakeApp {
  server: Server
  target: Target
  /** Connections accepted so far. */
  connections(): number
  close(): Promise<void>
}

/** An app on a free port of 127.0.0.1. */
export async function openApp(id: string, answer: RequestListener): Promise<FakeApp> {
  const server = createServer(answer)
  let connections = 0
  server.on('connection', () => connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  opened.push(close)
  return { server, target: { id, host: '127.0.0.1', port }, connections: () => connections, close }
}

/** A port on which nothing listens. */
export async function closedPort(): Promise<number> {
  const app = await openApp('closed', () => {})
  await app.close()
  return app.target.port
}

export function route(host: string, targets: Target[], change: Partial<Route> = {}): Route {
  return { host, path: '', state: 'up', targets, ...change }
}

export interface RawAnswer {
  text: string
  status: number
}

/** Sends bytes as they are and reads until the other side closes, or until `enough` holds. */
export function raw(
  port: number,
  bytes: string | Buffer,
  enough = (_text: string) => false,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket: Socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () =>
      socket.write(bytes),
    )
    const done = () => {
      socket.destroy()
      resolve({ text, status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0) })
    }
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (enough(text)) done()
    })
    socket.on('end', done)
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' ? done() : reject(error),
    )
  })
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: string
  trailers: NodeJS.Dict<string>
}

/** One request to an edge; `host` is app.test unless told. */
export function ask(port: number, options: RequestOptions & { body?: string } = {}): Promise<Answer> {
  const { body: payload, headers, ...rest } = options
  return new Promise((resolve, reject) => {
    const all = { host: 'app.test', ...(headers as Record<string, string>) }
    const req = request({ port, host: '127.0.0.1', ...rest, headers: all }, (res) => {
      let body = ''
      res.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      res.on('error', reject).on('end', () => {
        resolve({ status: res.statusCode!, headers: res.headers, body, trailers: res.trailers })
      })
    })
    req.on('error', reject).end(payload)
  })
}

/** As `expect.poll`, with time for a machine that is busy with other things. */
export const soon = <T>(probe: () => T) => expect.poll(probe, { timeout: 15_000 })
