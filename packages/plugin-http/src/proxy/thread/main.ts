/**
 * A listener thread: accepts visitors and answers them by the shared route table, without the daemon's main thread.
 * This file is what the thread runs; nothing imports it.
 * @module
 */
import { once } from 'node:events'
import { type AddressInfo, BlockList, isIP, type Server } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { RouteTableReader } from '@kernel/core-wasm'
import { InFlight } from '../in-flight.ts'
import type { FromThread, Order, RouteValue, ThreadData, ToThread } from '../messages.ts'
import { RateLimits } from '../policy/rate-limit.ts'
import { openAccessLog } from './access-log.ts'
import { Certificates } from './certificates.ts'
import { Clock } from './clock.ts'
import { Collector } from './collector.ts'
import { createDoor, type Guest } from './door.ts'
import { Gate } from './gate.ts'
import { Guards } from './guard.ts'
import { Meter } from './meter.ts'
import { Pages } from './pages.ts'
import { isTrusted } from './peer.ts'
import { Pools } from './pools.ts'
import type { Site } from './site.ts'
import { type GuardedRoute, Targets } from './targets.ts'
import { Tunnels } from './tunnel.ts'

const data = workerData as ThreadData
const { settings } = data
const tell = (message: FromThread) => parentPort!.postMessage(message)

/** Warnings of one kind a second: a target that is gone fails every request, and must not hide what is rarer. */
const MAX_WARNINGS = 5
const warnings = new Map<string, number>()
setInterval(() => {
  for (const [message, count] of warnings)
    if (count > MAX_WARNINGS)
      tell({
        kind: 'warning',
        message: 'Warnings of the edge were left out',
        fields: { warning: message, count: count - MAX_WARNINGS },
      })
  warnings.clear()
}, 1_000).unref()
function warn(message: string, fields: Record<string, unknown>): void {
  const count = (warnings.get(message) ?? 0) + 1
  warnings.set(message, count)
  if (count <= MAX_WARNINGS) tell({ kind: 'warning', message, fields })
}

const certificates = new Certificates(Buffer.from(data.ticketKeys))
const trusted = blockList(settings.trustedProxies)
const guards = new Guards(new RateLimits(data.rateLimits, data.rateSeed), (address) =>
  isTrusted(trusted, address),
)
const reader = new RouteTableReader(data.routes, (text): GuardedRoute => {
  const value = JSON.parse(text) as RouteValue
  return value.policy === undefined ? value : { ...value, guard: guards.guard(value.app, value.policy) }
})
const inFlight = new InFlight(data.threads, data.inFlight)
const site: Site = {
  settings,
  targets: new Targets(reader, inFlight, data.index, settings.downMs),
  gate: new Gate(reader, settings.maxHeld),
  pools: new Pools(),
  tunnels: new Tunnels(),
  clock: new Clock((error) =>
    warn('A request failed inside the edge', { error: error.stack ?? error.message }),
  ),
  meter: new Meter(),
  collector: new Collector(),
  pages: new Pages(),
  certificates,
  trusted,
  accessLog: settings.accessLog
    ? openAccessLog(settings.accessLog, (error) =>
        warn('The access log cannot be written', { file: settings.accessLog, error: error.message }),
      )
    : undefined,
  warn,
  closing: false,
}

site.clock.add(site.pools)

function obey(order: Order): void {
  if (order.kind === 'certificates') certificates.set(order.certificates)
  else if (order.kind === 'challenges') certificates.setChallenges(order.challenges)
  else site.pages.set(order.defaults, order.apps)
}
for (const order of data.orders) obey(order)

const guests = new Set<Guest>()
const servers: Server[] = []
const ports: number[] = []
for (const point of data.listen) {
  const server = createDoor({ site, point, certificates, guests })
  server.listen({ host: point.host, port: point.port, backlog: 4096, reusePort: data.reusePort })
  await once(server, 'listening')
  servers.push(server)
  ports.push((server.address() as AddressInfo).port)
}

parentPort!.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'retire':
      site.pools.retire(message.origins)
      break
    case 'order':
      try {
        obey(message.order)
        tell({ kind: 'obeyed', id: message.id })
      } catch (error) {
        tell({ kind: 'obeyed', id: message.id, error: (error as Error).message })
      }
      break
    case 'cut':
      site.tunnels.close(new Set(message.slots))
      break
    case 'close':
      void close(message.graceMs)
      break
    case 'measure': {
      const measures = { apps: site.meter.take(), connections: guests.size, held: site.gate.held }
      tell({ kind: 'measured', id: message.id, measures })
    }
  }
})
// What one request does wrong must not end the thread, and with it all others.
process.on('uncaughtException', (error: Error) =>
  warn('A request failed inside the edge', { error: error.stack ?? error.message }),
)

tell({ kind: 'listening', ports })

/** Takes no more visitors, lets requests end within the time, and ends the thread. */
async function close(graceMs: number): Promise<void> {
  site.closing = true
  const closed = Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  site.gate.close()
  for (const guest of [...guests]) guest.close()
  site.tunnels.closeWebSockets()
  const cut = setTimeout(() => {
    for (const guest of [...guests]) guest.destroy()
    site.tunnels.cut()
    site.pools.close()
  }, graceMs)
  await closed
  clearTimeout(cut)
  site.pools.close()
  site.clock.close()
  await site.accessLog?.close()
  reader.close()
  process.exit()
}

function blockList(addresses: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of addresses) {
    const [address, bits] = text.split('/') as [string, string?]
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return list
}
