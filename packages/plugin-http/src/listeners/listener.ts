import { readFile, stat } from 'node:fs/promises'
import type { Server } from 'node:net'
import { conflict, denied, failed } from '@kernel/contracts'
import { closeOnExec } from '@kernel/sys'
import type { Front } from '../server/front.ts'
import { formatAddress, hostAndPort, type ListenAddress } from './address.ts'
import { passedSockets, selectPassed } from './systemd.ts'
import { listenUnix } from './unix-socket.ts'

/** A door that is open. */
export interface Listener {
  readonly address: ListenAddress
  readonly front: Front
  /** Where it is reached: `unix:///run/kernel.sock`, `http://127.0.0.1:2375`. */
  readonly url: string
  close(graceMs: number): Promise<void>
}

export interface OpenOptions {
  /** Of unix sockets; undefined: root alone. */
  group?: string
  /** Makes the server for a door; `local`: reached over a unix socket, so the caller is known. */
  createFront(door: { local: boolean; tcp: boolean }): Front
}

/** Opens the door or doors (`fd://` may be several) that an address means. @throws conflict, denied, invalid */
export async function openListeners(address: ListenAddress, options: OpenOptions): Promise<Listener[]> {
  if (address.kind === 'unix') {
    const front = options.createFront({ local: true, tcp: false })
    const removeSocket = await listenUnix(front.server, address.path, options.group)
    return [
      {
        address,
        front,
        url: formatAddress(address),
        close: async (graceMs) => {
          await removeSocket()
          await front.close(graceMs)
        },
      },
    ]
  }
  if (address.kind === 'tcp') {
    const front = options.createFront({ local: false, tcp: true })
    const { host, port } = address
    await listen(front.server, { host, port, backlog: 1024 }, formatAddress(address))
    return [{ address, front, url: urlOf(front.server), close: front.close }]
  }
  const opened: Listener[] = []
  for (const { fd } of selectPassed(passedSockets(), address.name)) {
    closeOnExec(fd)
    const local = await isUnixSocket(fd)
    const front = options.createFront({ local, tcp: !local })
    await listen(front.server, { fd }, `fd://${fd}`)
    opened.push({ address, front, url: urlOf(front.server), close: front.close })
  }
  return opened
}

function listen(server: Server, where: object, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(explain(error, name)))
    server.listen(where, () => {
      server.removeAllListeners('error')
      resolve()
    })
  })
}

function explain(error: NodeJS.ErrnoException, name: string): Error {
  if (error.code === 'EADDRINUSE')
    return conflict(`Another process listens on ${name}`, {
      hint: 'Stop it, or choose another port.',
      cause: error,
    })
  if (error.code === 'EACCES')
    return denied(`This user may not listen on ${name}`, {
      hint: 'Ports below 1024 need root.',
      cause: error,
    })
  return failed(`Cannot listen on ${name}: ${error.message}`, { cause: error })
}

function urlOf(server: Server): string {
  const address = server.address()
  if (typeof address === 'string') return `unix://${address}`
  if (address === null) throw failed('The listener was closed while it was opened')
  const scheme = 'setSecureContext' in server ? 'https' : 'http'
  return `${scheme}://${hostAndPort(address.address, address.port)}`
}

/** The kernel lists unix sockets by inode in /proc/net/unix, see proc_pid_net(5). */
async function isUnixSocket(fd: number): Promise<boolean> {
  const { ino } = await stat(`/proc/self/fd/${fd}`)
  const lines = (await readFile('/proc/net/unix', 'utf8')).split('\n')
  return lines.some((line) => line.trim().split(/\s+/)[6] === String(ino))
}
