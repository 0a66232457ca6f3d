import { invalid } from '@kernel/contracts'

/** The first descriptor that a service manager passes, see sd_listen_fds(3). */
const firstFd = 3

export interface PassedSocket {
  fd: number
  name: string
}

/**
 * The sockets that systemd opened for this process, see sd_listen_fds(3): LISTEN_PID says for whom,
 * LISTEN_FDS how many, LISTEN_FDNAMES how they are called.
 */
export function passedSockets(env = process.env, pid = process.pid): PassedSocket[] {
  if (env.LISTEN_PID !== undefined && Number(env.LISTEN_PID) !== pid) return []
  const names = (env.LISTEN_FDNAMES ?? '').split(':')
  const count = Number(env.LISTEN_FDS ?? 0)
  return Array.from({ length: Number.isInteger(count) ? count : 0 }, (_, index) => ({
    fd: firstFd + index,
    name: names[index] || 'unknown',
  }))
}

/**
 * Those that a host `fd://`, `fd://3` or `fd://name` means.
 * @throws invalid where nothing was passed under that name
 */
export function selectPassed(sockets: PassedSocket[], name: string): PassedSocket[] {
  const chosen = sockets.filter((socket) => name === '' || socket.name === name || String(socket.fd) === name)
  if (chosen.length > 0) return chosen
  const there = sockets.map((socket) => `${socket.fd} (${socket.name})`).join(', ') || 'none'
  throw invalid(`No socket was passed for fd://${name}; there are: ${there}`, {
    hint: 'Start the daemon by a systemd socket unit, or listen on unix:// instead.',
  })
}
