import { check, close, foreign } from './libc.ts'
import { AF_UNIX, unixAddress } from './socket-address.ts'

const socket = foreign('socket', 'int', ['int', 'int', 'int'])
const sendto = foreign('sendto', 'long', ['int', 'void *', 'size_t', 'int', 'void *', 'uint'])

const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_NOSIGNAL = 0x4000

/**
 * Tells the service manager about this process, see sd_notify(3), for example `READY=1`.
 * @returns false where no one asked to be told (NOTIFY_SOCKET is not set)
 * @throws SysError when the manager's socket cannot be reached
 */
export function sdNotify(state: string, socketPath = process.env.NOTIFY_SOCKET): boolean {
  if (!socketPath) return false
  const address = unixAddress(socketPath)
  const fd = check(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'socket')
  try {
    const message = Buffer.from(state)
    const sent = sendto(fd, message, message.length, MSG_NOSIGNAL, address.bytes, address.length)
    check(sent, 'sd_notify', { path: socketPath })
    return true
  } finally {
    close(fd)
  }
}
