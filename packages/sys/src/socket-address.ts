import ipaddr from 'ipaddr.js'
import { SysError } from './errors.ts'

export const AF_UNIX = 1
export const AF_INET = 2
export const AF_INET6 = 10

/** A struct sockaddr as bytes, with the length that counts, and its family. */
export interface SocketAddress {
  bytes: Buffer
  length: number
  family: number
}

/**
 * struct sockaddr_un. A name that begins with `@` is abstract: no file, the length counts.
 * @throws SysError ENAMETOOLONG beyond 107 bytes
 */
export function unixAddress(path: string): SocketAddress {
  const abstract = path.startsWith('@')
  const name = Buffer.from(abstract ? `\0${path.slice(1)}` : path)
  if (name.length > 107) throw new SysError('socket', 36, { path })
  const bytes = Buffer.alloc(2 + 108)
  bytes.writeUInt16LE(AF_UNIX, 0)
  name.copy(bytes, 2)
  return { bytes, length: 2 + name.length + (abstract ? 0 : 1), family: AF_UNIX }
}

/** struct sockaddr_in or sockaddr_in6. */
export function inetAddress(address: string, port: number): SocketAddress {
  const parsed = ipaddr.parse(address)
  const raw = Buffer.from(parsed.toByteArray())
  const v4 = parsed.kind() === 'ipv4'
  const bytes = Buffer.alloc(v4 ? 16 : 28)
  const family = v4 ? AF_INET : AF_INET6
  bytes.writeUInt16LE(family, 0)
  bytes.writeUInt16BE(port, 2)
  raw.copy(bytes, v4 ? 4 : 8)
  return { bytes, length: bytes.length, family }
}
