/** Ports that nobody has. @module */
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/**
 * Below those that the system gives to outgoing connections (ip_local_port_range): while a daemon is down, one of
 * these would take its port.
 */
const lowest = 10_000
const highest = 32_000

/** Free ports of 127.0.0.1, all different, for servers that must keep theirs over a restart. */
export async function freePorts(count: number): Promise<number[]> {
  const held: Server[] = []
  const ports: number[] = []
  while (ports.length < count) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest))
    const server = createServer()
    const free = await Promise.race([
      once(server.listen(port, '127.0.0.1'), 'listening').then(() => true),
      once(server, 'error').then(() => false),
    ]).catch(() => false)
    if (!free) continue
    held.push(server)
    ports.push(port)
  }
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
