import dgram from 'node:dgram'
import net from 'node:net'
import { bindUdp, listenTcp, type Netns } from '@kernel/sys'
import { INTERNAL_DNS } from '../host-files.ts'
import { answerQuery, failure, type Names, RCODE } from './answer.ts'
import { forwardQuery } from './forward.ts'
import { readMessages, withLength } from './tcp-messages.ts'

/** The name server of one container. */
export interface DnsServer {
  close(): void
}

export interface DnsServerOptions extends Names {
  netns: Netns
  /** Whom to ask for what is not a container; none: such names fail. */
  upstream(): string[]
}

const TCP_IDLE_MS = 10_000
const TCP_CONNECTIONS = 32

/**
 * Serves 127.0.0.11:53 inside a network namespace, UDP and TCP. The sockets are made there; the work is done
 * here, on the event loop, without a process or thread of its own.
 * @throws SysError EADDRINUSE, or where the namespace is gone
 */
export function serveDns(options: DnsServerOptions): DnsServer {
  const where = { netns: options.netns, address: INTERNAL_DNS, port: 53 }
  const udpFd = bindUdp(where)
  const udp = dgram.createSocket('udp4')
  udp.on('error', () => {}) // an answer to a client that is gone
  udp.bind({ fd: udpFd })
  udp.unref()
  let tcp: net.Server
  try {
    tcp = net.createServer((socket) => serveConnection(socket, options))
    tcp.maxConnections = TCP_CONNECTIONS
    tcp.on('error', () => {})
    tcp.listen({ fd: listenTcp({ ...where, backlog: 16 }) })
    tcp.unref()
  } catch (error) {
    udp.close()
    throw error
  }

  udp.on('message', async (query, from) => {
    const answer = await resolve(query, options, false)
    if (answer && !closed) udp.send(answer, from.port, from.address)
  })
  let closed = false
  return {
    close() {
      if (closed) return
      closed = true
      udp.close()
      tcp.close()
    },
  }
}

function serveConnection(socket: net.Socket, options: DnsServerOptions): void {
  socket.unref()
  socket.setTimeout(TCP_IDLE_MS, () => socket.destroy())
  socket.on('error', () => socket.destroy())
  readMessages(socket, async (query) => {
    const answer = await resolve(Buffer.from(query), options, true)
    if (answer && socket.writable) socket.write(withLength(answer))
  })
}

async function resolve(query: Buffer, options: DnsServerOptions, tcp: boolean): Promise<Buffer | undefined> {
  const own = answerQuery(query, options, tcp)
  if (own !== 'forward') return own
  return (await forwardQuery(query, options.upstream(), tcp)) ?? failure(query, RCODE.SERVFAIL)
}
