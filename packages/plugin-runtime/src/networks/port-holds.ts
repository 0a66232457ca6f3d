import fs from 'node:fs'
import { failed } from '@kernel/contracts'
import { bindUdp, listenTcp } from '@kernel/sys'
import type { PortRequest } from './port-requests.ts'
import type { PublishedPort } from './records.ts'

/**
 * Holds published ports by a socket of our own, as docker-proxy does: no other program can take the port, and
 * who tries is told why. Nothing ever arrives at these sockets, since the rules redirect it before.
 */
export class PortHolds {
  private readonly sockets = new Map<string, number>()
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
    const fd = port.protocol === 'tcp' ? listenTcp({ ...options, backlog: 1 }) : bindUdp(options)
    this.sockets.set(key, fd)
  }

  release(port: PublishedPort): void {
    const fd = this.sockets.get(keyOf(port))
    if (fd === undefined) return
    this.sockets.delete(keyOf(port))
    fs.closeSync(fd)
  }

  close(): void {
    for (const fd of this.sockets.values()) fs.closeSync(fd)
    this.sockets.clear()
  }
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
