/** The edge: listener threads of its own behind one router. @module */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { conflict, denied, failed, invalid, type Router } from '@kernel/contracts'
import { RouteTableError, RouteTableWriter } from '@kernel/core-wasm'
import type { Logger } from '@kernel/kernel'
import { EdgeMetrics } from './edge-metrics.ts'
import { InFlight } from './in-flight.ts'
import type { EdgeSettings, OwnPages } from './messages.ts'
import { RateLimits } from './policy/rate-limit.ts'
import { type Change, RouteBook } from './route-book.ts'
import { Threads } from './threads.ts'

export interface EdgeOptions {
  /** `host:port`, IPv6 in brackets; port 0 is any free one. */
  listen: string[]
  /** The same, for TLS. */
  listenTls?: string[]
  /** One a core, 8 at most, unless told. */
  threads?: number
  settings: EdgeSettings
  log: Logger
}

export interface Edge extends Router {
  /** For `/metrics`. */
  metrics(): Promise<string>
  /** Takes no more visitors; what is under way has `graceMs` to end. */
  close(graceMs: number): Promise<void>
}

const MAX_THREADS = 8
/** Time for what is cut to be over: close frames are answered meanwhile. */
const CUT_MS = 3_000

/**
 * Opens the ports at once and holds every request until `ready`. @throws conflict, denied, invalid
 *
 * @example
 * const edge = await createEdge({ listen: ['127.0.0.1:8080'], settings: defaultSettings, log })
 * await edge.publish('shop', [{ host: 'shop.example.com', path: '', state: 'up', targets }])
 * await edge.ready()
 */
export async function createEdge({
  listen,
  listenTls = [],
  threads,
  settings,
  log,
}: EdgeOptions): Promise<Edge> {
  const points = [
    ...listen.map((text) => ({ ...parseListen(text), tls: false })),
    ...listenTls.map((text) => ({ ...parseListen(text), tls: true })),
  ]
  // Without shared ports there can be one listener only.
  const reusePort = process.platform === 'linux'
  const count = reusePort ? (threads ?? Math.min(availableParallelism(), MAX_THREADS)) : 1
  if (reusePort) await Promise.all(points.map(refuseTaken))

  const table = RouteTableWriter.create()
  const inFlight = new InFlight(count)
  const book = new RouteBook((slot) => inFlight.count(slot) === 0)
  const metrics = new EdgeMetrics()
  let defaultPages: OwnPages = {}
  const ownPages = new Map<string, OwnPages>()
  const workers = await Threads.start({
    count,
    listen: points,
    data: {
      threads: count,
      routes: table.memory,
      inFlight: inFlight.memory,
      reusePort,
      ticketKeys: randomBytes(48),
      rateLimits: RateLimits.memory(),
      rateSeed: randomBytes(16).toString('hex'),
      settings: { ...settings, maxHeld: Math.ceil(settings.maxHeld / count) },
    },
    log,
    onExit(index, threadId) {
      table.releaseThread(threadId)
      inFlight.reset(index)
    },
  }).catch((error: unknown) => {
    throw explain(error, [...listen, ...listenTls].join(', '))
  })

  const apply = ({ lines, retired, commit }: Change): number => {
    const generation = publishLines(table, lines)
    commit()
    workers.retire(retired)
    return generation
  }

  return {
    async publish(app, routes) {
      return { generation: apply(book.change(app, routes)) }
    },
    async withdraw(app) {
      apply(book.change(app, []))
    },
    async list() {
      return book.list()
    },
    async drain(targetIds, timeoutSec) {
      return { open: await inFlight.idle(book.slots(targetIds), timeoutSec * 1000) }
    },
    async setPolicy(app, { pages, ...policy }) {
      const change = book.changePolicy(app, policy)
      publishLines(table, change.lines)
      change.commit()
      if (pages === undefined && !ownPages.has(app)) return
      if (pages === undefined) ownPages.delete(app)
      else ownPages.set(app, pages)
      await workers.order({ kind: 'pages', defaults: defaultPages, apps: ownPages })
    },
    async setDefaultPages(pages) {
      defaultPages = pages
      await workers.order({ kind: 'pages', defaults: defaultPages, apps: ownPages })
    },
    async setCertificates(certificates) {
      try {
        await workers.order({ kind: 'certificates', certificates })
      } catch (error) {
        throw invalid(`The certificates cannot be used: ${(error as Error).message}`, {
          hint: 'Each needs its own key, both as PEM.',
        })
      }
    },
    async setChallenges(challenges) {
      await workers.order({ kind: 'challenges', challenges })
    },
    async cut(targetIds) {
      const slots = book.slots(targetIds)
      workers.cut(slots)
      await inFlight.idle(slots, CUT_MS)
    },
    async listeners() {
      return workers.listen.map(({ host, port, tls }) => ({
        protocol: tls ? ('https' as const) : ('http' as const),
        host,
        port,
      }))
    },
    async ready() {
      inFlight.setReady()
      // A new generation is what wakes those who wait.
      publishLines(table, book.lines())
    },
    async metrics() {
      metrics.add(await workers.measure())
      const busy = [...book.slotsByApp()].map(
        ([app, slots]) => [app, [...slots].reduce((sum, slot) => sum + inFlight.count(slot), 0)] as const,
      )
      return metrics.text(new Map(busy))
    },
    close: (graceMs) => workers.close(graceMs),
  }
}

function publishLines(table: RouteTableWriter, lines: Change['lines']): number {
  try {
    return table.publish(lines)
  } catch (error) {
    if (!(error instanceof RouteTableError)) throw error
    const kind = error.code === 'invalid-route' || error.code === 'duplicate-route' ? invalid : failed
    throw kind(`The routes cannot be published: ${error.message}`, { cause: error })
  }
}

/** @throws invalid */
export function parseListen(text: string): { host: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (digits === undefined || port > 65_535)
    throw invalid(`"${text}" is no address for the edge to listen on`, {
      hint: 'Name host and port, for example 0.0.0.0:80 or [::]:80.',
    })
  return { host: (bracketed ?? plain)!, port }
}

// Sockets that share a port would share it with another daemon's as well, and each would get half of the visitors.
async function refuseTaken({ host, port }: { host: string; port: number }): Promise<void> {
  if (port === 0) return
  const probe = createServer()
  try {
    probe.listen({ host, port, exclusive: true })
    await once(probe, 'listening')
  } catch (error) {
    throw explain(error, `${host}:${port}`)
  } finally {
    probe.close()
  }
}

function explain(error: unknown, where: string): Error {
  const cause = error as NodeJS.ErrnoException
  if (cause.code === 'EADDRINUSE')
    return conflict(`The edge cannot listen on ${where}: the port is taken`, {
      hint: 'Stop what listens there, or give the edge another address.',
      cause,
    })
  if (cause.code === 'EACCES')
    return denied(`The edge may not listen on ${where}`, {
      hint: 'Ports below 1024 need root or CAP_NET_BIND_SERVICE.',
      cause,
    })
  if (cause.code === 'EADDRNOTAVAIL')
    return invalid(`The edge cannot listen on ${where}: this host has no such address`, { cause })
  return failed(`The edge could not start on ${where}: ${cause.message}`, { cause })
}
