import { check, close, foreign } from './libc.ts'
import { type Netns, withNetns } from './namespaces.ts'
import { AF_INET6, inetAddress } from './socket-address.ts'

const socket = foreign('socket', 'int', ['int', 'int', 'int'])
const bind = foreign('bind', 'int', ['int', 'void *', 'uint'])
const listen = foreign('listen', 'int', ['int', 'int'])
const setsockopt = foreign('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint'])

const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26

/** Where a socket listens; `netns` default: the caller's. */
export interface BindOptions {
  address: string
  port: number
  netns?: Netns
}

/**
 * A UDP socket bound inside a network namespace, e.g. 127.0.0.11:53 of a container. Hand it to
 * `dgram.createSocket(...).bind({ fd })`, which owns it from then on.
 * @throws SysError EADDRINUSE, EADDRNOTAVAIL, EACCES
 */
export function bindUdp(options: BindOptions): number {
  return bound(SOCK_DGRAM, options)
}

/** A listening TCP socket in a network namespace, for `net.Server.listen({ fd })`, which owns it from then on. */
export function listenTcp(options: BindOptions & { backlog?: number }): number {
  const fd = bound(SOCK_STREAM, options)
  return guarded(fd, () => check(listen(fd, options.backlog ?? 511), 'listen', { path: label(options) }))
}

function bound(type: number, options: BindOptions): number {
  const { bytes, length, family } = inetAddress(options.address, options.port)
  const open = () => check(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), 'socket')
  const fd = options.netns === undefined ? open() : withNetns(options.netns, open)
  return guarded(fd, () => {
    const on = Buffer.from([1, 0, 0, 0])
    if (type === SOCK_STREAM) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, on, 4)
    if (family === AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, on, 4)
    check(bind(fd, bytes, length), 'bind', { path: label(options) })
  })
}

function guarded(fd: number, fn: () => void): number {
  try {
    fn()
    return fd
  } catch (error) {
    close(fd)
    throw error
  }
}

function label(options: BindOptions): string {
  return `${options.address}:${options.port}`
}
