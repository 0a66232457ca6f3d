/** The SSH server: who may connect, how often, how long. @module */
import { createServer, type Server, type Socket } from 'node:net'
import { conflict, failed, invalid } from '@kernel/contracts'
import ssh2, { type Algorithms, type Connection } from 'ssh2'
import type { KeyStore } from '../access/key-store.ts'
import { authentication } from './authentication.ts'
import { type SessionHandlers, serveSession } from './session.ts'

export interface SshServerOptions extends SessionHandlers {
  /** `ADDRESS:PORT` */
  listen: string
  privateKey: string
  keys: KeyStore
}

export interface SshServer {
  /** Where it listens; port 0 was replaced by a real one. */
  address: { host: string; port: number }
  /** Accepts nothing new; what is connected goes on. */
  stopListening(): void
  /** Ends every connection. */
  close(): Promise<void>
}

const limits = {
  connections: 500,
  /** Not yet authenticated, of one address and together. */
  strangersOfAddress: 10,
  strangers: 100,
  loginGraceMs: 30_000,
  sessionsOfConnection: 10,
}

/** Without SHA-1, CBC and compression (which would have to be undone before the sender is known). */
const algorithms: Algorithms = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group18-sha512',
  ],
  cipher: [
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com',
    'chacha20-poly1305@openssh.com',
    'aes256-ctr',
    'aes128-ctr',
  ],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  compress: ['none'],
}

/** @throws conflict where the address is in use; invalid, failed where it can't be listened at */
export async function startSshServer(options: SshServerOptions): Promise<SshServer> {
  const { keys, log } = options
  const protocol = new ssh2.Server({
    hostKeys: [options.privateKey],
    ident: 'kernel',
    algorithms,
    keepaliveInterval: 20_000,
    keepaliveCountMax: 3,
  })
  const sockets = new Map<string, Socket>()
  /** Those not yet authenticated, by socket; the call ends their time of grace. */
  const strangers = new Map<Socket, { ip: string; welcome(): void }>()

  // Its own listener, since ssh2's tells of a connection only once the client has spoken.
  const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
    const ip = socket.remoteAddress ?? ''
    const ofAddress = [...strangers.values()].filter((each) => each.ip === ip).length
    if (
      sockets.size >= limits.connections ||
      strangers.size >= limits.strangers ||
      ofAddress >= limits.strangersOfAddress
    ) {
      log.warn('An SSH connection was refused: too many', { ip })
      socket.destroy()
      return
    }
    const id = socketId(socket.remoteAddress, socket.remotePort)
    const grace = setTimeout(() => socket.destroy(), limits.loginGraceMs)
    const welcome = () => {
      clearTimeout(grace)
      strangers.delete(socket)
    }
    sockets.set(id, socket)
    strangers.set(socket, { ip, welcome })
    socket.once('close', () => {
      welcome()
      sockets.delete(id)
    })
    protocol.injectSocket(socket)
  })
  protocol.on('connection', (client, { ip, port }) => {
    const socket = sockets.get(socketId(ip, port))
    if (socket) serveClient(client, socket)
    else client.end()
  })

  function serveClient(client: Connection, socket: Socket): void {
    let user: string | undefined
    let sessions = 0
    const disconnected = new AbortController()
    client.on('close', () => disconnected.abort())
    client.on('error', (error) => log.debug('An SSH connection broke', { error, user }))
    client.on(
      'authentication',
      authentication(
        keys,
        (name) => {
          user = name
        },
        () => socket.destroy(),
      ),
    )
    client.on('ready', () => {
      strangers.get(socket)?.welcome()
      client.on('session', (accept, reject) => {
        if (user === undefined || sessions >= limits.sessionsOfConnection) return reject()
        const session = accept()
        sessions++
        session.on('close', () => {
          sessions--
        })
        serveSession(session, user, disconnected.signal, options)
      })
    })
  }

  await listen(server, options.listen)
  const at = server.address()
  if (at === null || typeof at === 'string') throw failed('The SSH server has no address.')
  return {
    address: { host: at.address, port: at.port },
    stopListening: () => void server.close(),
    async close() {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      for (const socket of sockets.values()) socket.destroy()
      await closed
    },
  }
}

const socketId = (ip: string | undefined, port: number | undefined) => `${ip} ${port}`

function listen(server: Server, at: string): Promise<void> {
  const colon = at.lastIndexOf(':')
  const host = at.slice(0, colon).replace(/^\[|\]$/g, '') || undefined
  const port = Number(at.slice(colon + 1))
  if (port > 65_535) throw invalid(`${at} is no address to listen at: the port must be at most 65535.`)
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE')
        reject(
          conflict(`The SSH server can't listen at ${at}: another program does.`, {
            hint: 'Choose another with --ssh ADDRESS:PORT, or switch it off with --ssh false.',
            cause: error,
          }),
        )
      else reject(failed(`The SSH server can't listen at ${at}: ${error.message}`, { cause: error }))
    })
    server.listen({ host, port }, () => resolve())
  })
}
