import fs from 'node:fs'
import net from 'node:net'
import { failed } from '@kernel/contracts'
import { bindUdp, listenTcp } from '@kernel/sys'
import type { PortRequest } from './port-requests.ts'
import type { PublishedPort } from './records.ts'

/**
 * Holds published ports by a socket of our own, as docker-proxy does: no other program can take the port, and
 * who tries is told why. Nothing arrives at these sockets as long as our rules redirect it before; where someone
 * flushed them, visitors are turned away rather than left waiting.
 */
export class PortHolds {
  private readonly sockets = new Map<string, { close(): void }>()
  private cursor = 0

  /**
   * Takes the first free port of the range, and holds it.
   * @throws failed in Docker's words, without the sentence's beginning
   */
  take(request: PortRequest): PublishedPort {
    const { protocol, containerPort, hostIp } = request
    const any = request.firstPort === 0 && request.lastPort === 0
    const range = any ? ephemeralRange() : [request.firstPort, request.lastPort]
    const [first, last] = range as [number, number]
    const count = last - first + 1
    // Any port: not the one that was free a moment ago, some client may still think it is another container.
    const start = any ? this.cursor : 0
    let refusal: unknown
    for (let i = 0; i < count; i++) {
      const offset = (start + i) % count
      const port = { protocol, hostIp, hostPort: first + offset, containerPort }
      try {
        this.hold(port)
        if (any) this.cursor = offset + 1
        return port
      } catch (error) {
        refusal = error
        if ((error as { code?: string }).code !== 'EADDRINUSE') break
      }
    }
    throw refused(request, refusal)
  }

  /** Holds a port that is already published. @throws SysError, for example EADDRINUSE */
  hold(port: PublishedPort): void {
    const options = { address: port.hostIp, port: port.hostPort }
    const key = keyOf(port)
    if (this.sockets.has(key)) throw Object.assign(new Error(`${key} is held`), { code: 'EADDRINUSE' })
    this.sockets.set(key, port.protocol === 'tcp' ? turnAway(listenTcp(options)) : keepOpen(bindUdp(options)))
  }

  release(port: PublishedPort): void {
    this.sockets.get(keyOf(port))?.close()
    this.sockets.delete(keyOf(port))
  }

  close(): void {
    for (const socket of this.sockets.values()) socket.close()
    this.sockets.clear()
  }
}

function turnAway(fd: number): { close(): void } {
  const server = net.createServer((socket) => socket.resetAndDestroy())
  server.on('error', () => {})
  server.listen({ fd })
  server.unref()
  return server
}

function keepOpen(fd: number): { close(): void } {
  return { close: () => fs.closeSync(fd) }
}

function keyOf(port: PublishedPort): string {
  return `${port.protocol} ${port.hostIp}:${port.hostPort}`
}

function refused(request: PortRequest, cause: unknown): Error {
  const { hostIp, firstPort, lastPort } = request
  const port = firstPort === lastPort ? `${firstPort}` : `${firstPort}-${lastPort}`
  const code = (cause as { code?: string }).code
  if (code === 'EADDRINUSE') {
    const hint = `Choose another port, or find out who has it: ss -l${request.protocol === 'tcp' ? 't' : 'u'}np`
    return failed(`Bind for ${hostIp}:${port} failed: port is already allocated`, { cause, hint })
  }
  if (code === 'EADDRNOTAVAIL') {
    return failed(`Bind for ${hostIp}:${port} failed: cannot assign requested address`, {
      cause,
      hint: `${hostIp} is not an address of this machine`,
    })
  }
  return failed(`Bind for ${hostIp}:${port} failed: ${(cause as Error).message}`, { cause })
}

/** The ports that this machine gives to whoever does not care. */
function ephemeralRange(): [number, number] {
  try {
    const text = fs.readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1')
    const [first, last] = text.trim().split(/\s+/).map(Number)
    if (first && last && first < last) return [first, last]
  } catch {
    // the kernel's default, below
  }
  return [32_768, 60_999]
}
