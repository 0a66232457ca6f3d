import { readFile } from 'node:fs/promises'
import { getRequestListener } from '@hono/node-server'
import { type HttpServer, invalid, type ListenSettings } from '@kernel/contracts'
import { formatAddress, parseAddress } from '../listeners/address.ts'
import { type Listener, openListeners } from '../listeners/listener.ts'
import { type AppParts, createApp } from './app.ts'
import { createEnvironment, type ServerEnvironment } from './environment.ts'
import type { Exchange } from './exchange.ts'
import { createFront, type TlsMaterial } from './front.ts'

export interface ServerOptions extends AppParts {
  socketGroup?: string
  graceSec: number
}

export interface Server extends HttpServer {
  /** Begins to answer. Until then connections are accepted and wait. */
  open(): void
  close(): Promise<void>
}

/** Idle connections over TCP are kept for ten minutes, longer than Docker's clients use them again. */
const keepAliveMs = 600_000

/** The HTTP server: its doors, opened and closed by `reload`, and the app behind all of them. */
export function createServer(options: ServerOptions): Server {
  const app = createApp(options)
  const { log, mounts } = options
  const listeners = new Map<string, Listener[]>()
  const environments = new WeakMap<object, ServerEnvironment>()
  let opened = false
  let tls: TlsMaterial | undefined

  const answer = getRequestListener(
    (request, { incoming }) => app.fetch(request, environments.get(incoming)!),
    {
      overrideGlobalObjects: false,
      hostname: 'localhost',
    },
  )

  function createDoor({ local, tcp }: { local: boolean; tcp: boolean }) {
    const serve = (exchange: Exchange) => {
      environments.set(exchange.incoming, createEnvironment(exchange, local))
      // Some clients put the socket's path here, which is no host and of no interest.
      if (local && !isHost(exchange.incoming.headers.host)) exchange.incoming.headers.host = 'localhost'
      void answer(exchange.incoming, exchange.outgoing)
    }
    const front = createFront({
      tls: tcp ? tls : undefined,
      keepAliveMs: local ? 0 : keepAliveMs,
      takesOver: (method, path) => mounts.takesOver(method, path),
      serve,
    })
    if (opened) front.open()
    return front
  }

  /** Addresses wanted, in their one spelling. All are read before anything is opened. */
  function parseHosts(hosts: string[]) {
    return new Map(
      hosts.map((host) => parseAddress(host)).map((address) => [formatAddress(address), address]),
    )
  }

  async function reload({ hosts, tls: files }: ListenSettings): Promise<void> {
    const wanted = parseHosts(hosts)
    const before = tls
    tls = files && (await readTls(files))
    const isStale = (name: string) =>
      !wanted.has(name) || (name.startsWith('tcp:') && (before === undefined) !== (tls === undefined))
    const gone = [...listeners].filter(([name]) => isStale(name))
    for (const [name, doors] of gone) {
      listeners.delete(name)
      await Promise.all(doors.map((door) => door.close(options.graceSec * 1000)))
      log.info(`No longer listening on ${name}`)
    }
    for (const door of [...listeners.values()].flat()) if (tls) door.front.setTls(tls)
    for (const [name, address] of wanted) {
      if (listeners.has(name)) continue
      const doors = await openListeners(address, { group: options.socketGroup, createFront: createDoor })
      listeners.set(name, doors)
      for (const door of doors) announce(door)
    }
  }

  function announce({ url, address }: Listener): void {
    log.info(`Listening on ${url}`)
    if (url.startsWith('http:') && address.kind === 'tcp' && !/^(127\.|::1$|localhost$)/.test(address.host))
      log.warn(`${url} is reachable from other machines without TLS: tokens can be read on the way`, {
        hint: 'Set tls.cert and tls.key, or listen on 127.0.0.1.',
      })
  }

  return {
    mount: (prefix, handler, mountOptions) => mounts.add(prefix, handler, mountOptions),
    addresses: async () => [...listeners.values()].flat().map(({ url }) => url),
    reload,
    open() {
      opened = true
      for (const { front } of [...listeners.values()].flat()) front.open()
    },
    async close() {
      const doors = [...listeners.values()].flat()
      listeners.clear()
      await Promise.all(doors.map((door) => door.close(options.graceSec * 1000)))
    },
  }
}

function isHost(host: string | undefined): boolean {
  return host !== undefined && /^[a-zA-Z0-9._-]+(:\d+)?$|^\[[0-9a-fA-F:]+\](:\d+)?$/.test(host)
}

async function readTls({ cert, key, ca }: NonNullable<ListenSettings['tls']>): Promise<TlsMaterial> {
  const read = (path: string) =>
    readFile(path, 'utf8').catch((cause) => {
      throw invalid(`The TLS file ${path} cannot be read: ${cause.message}`, { cause })
    })
  return { cert: await read(cert), key: await read(key), ...(ca !== undefined && { ca: await read(ca) }) }
}
