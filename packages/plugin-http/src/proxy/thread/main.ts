/**
 * A listener thread: accepts visitors and answers them by the shared route table, without the daemon's main thread.
 * This file is what the thread runs; nothing imports it.
 * @module
 */
import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, BlockList, isIP, type Socket } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { RouteTableReader } from '@kernel/core-wasm'
import { InFlight } from '../in-flight.ts'
import type { FromThread, RouteValue, ThreadData, ToThread } from '../messages.ts'
import { openAccessLog } from './access-log.ts'
import { createFront } from './front.ts'
import { Gate } from './gate.ts'
import { Meter } from './meter.ts'
import { Pools } from './pools.ts'
import type { Site } from './site.ts'
import { Targets } from './targets.ts'

const data = workerData as ThreadData
const { settings } = data
const tell = (message: FromThread) => parentPort!.postMessage(message)

/** Warnings a second: a target that is gone fails every request. */
const MAX_WARNINGS = 5
let warnings = 0
setInterval(() => {
  if (warnings > MAX_WARNINGS)
    tell({
      kind: 'warning',
      message: 'Warnings of the edge were left out',
      fields: { count: warnings - MAX_WARNINGS },
    })
  warnings = 0
}, 1_000).unref()
function warn(message: string, fields: Record<string, unknown>): void {
  warnings++
  if (warnings <= MAX_WARNINGS) tell({ kind: 'warning', message, fields })
}

const reader = new RouteTableReader(data.routes, (text) => JSON.parse(text) as RouteValue)
const inFlight = new InFlight(data.threads, data.inFlight)
const site: Site = {
  settings,
  targets: new Targets(reader, inFlight, data.index, settings.downMs),
  gate: new Gate(reader, settings.maxHeld),
  pools: new Pools(settings.connectTimeoutMs),
  meter: new Meter(),
  trusted: blockList(settings.trustedProxies),
  accessLog: settings.accessLog
    ? openAccessLog(settings.accessLog, (error) =>
        warn('The access log cannot be written', { file: settings.accessLog, error: error.message }),
      )
    : undefined,
  warn,
  closing: false,
}

const sockets = new Set<Socket>()
const servers: Server[] = []
const ports: number[] = []
for (const { host, port } of data.listen) {
  const server = createFront(site)
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen({ host, port, backlog: 1024, reusePort: data.reusePort })
  await once(server, 'listening')
  servers.push(server)
  ports.push((server.address() as AddressInfo).port)
}

parentPort!.on('message', (message: ToThread) => {
  if (message.kind === 'retire') site.pools.retire(message.origins)
  else if (message.kind === 'close') void close(message.graceMs)
  else {
    const measures = { apps: site.meter.take(), connections: sockets.size, held: site.gate.held }
    tell({ kind: 'measured', id: message.id, measures })
  }
})
tell({ kind: 'listening', ports })

/** Takes no more visitors, lets requests end within the time, and ends the thread. */
async function close(graceMs: number): Promise<void> {
  site.closing = true
  const closed = Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  site.gate.close()
  // A connection whose last answer promised to keep it open is idle again after that answer.
  const idle = setInterval(() => {
    for (const server of servers) server.closeIdleConnections()
  }, 50)
  const cut = setTimeout(() => {
    for (const socket of sockets) socket.destroy()
  }, graceMs)
  await closed
  clearInterval(idle)
  clearTimeout(cut)
  site.pools.close()
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
