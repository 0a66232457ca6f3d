import fs from 'node:fs'
import { basename, dirname } from 'node:path'
import { Duplex } from 'node:stream'
import { SysError } from './errors.ts'
import { check, close, errno, foreign } from './libc.ts'
import { Readiness } from './readiness.ts'
import { AF_UNIX, unixAddress } from './socket-address.ts'

const socket = foreign('socket', 'int', ['int', 'int', 'int'])
const connect = foreign('connect', 'int', ['int', 'void *', 'uint'])
const send = foreign('send', 'long', ['int', 'void *', 'size_t', 'int'])
const recv = foreign('recv', 'long', ['int', 'void *', 'size_t', 'int'])
const shutdown = foreign('shutdown', 'int', ['int', 'int'])

const SOCK_SEQPACKET = 5
const SOCK_NONBLOCK = 0o4000
const SOCK_CLOEXEC = 0o2000000
const MSG_NOSIGNAL = 0x4000
const SHUT_WR = 1
const EAGAIN = 11
const EINTR = 4
const EPIPE = 32
const ECONNRESET = 104

/** conmon sends at most 8 KiB and one byte for the stream; it reads at most 8 KiB at once. */
const RECEIVE_BYTES = 64 * 1024
const SEND_BYTES = 8192

/** Then others have their turn: a container can write faster than this process reads. */
const PACKETS_PER_TURN = 64

/**
 * A connected AF_UNIX SOCK_SEQPACKET socket, such as conmon's attach socket. A Duplex stream: every 'data'
 * chunk is one packet (for conmon its first byte says 2 = stdout, 3 = stderr), written bytes go out in
 * packets of at most 8 KiB, `end()` shuts the sending side, `destroy()` closes. Reading stops while nobody
 * consumes, so that a slow client slows the container and not the memory. What is written after the peer has
 * gone is dropped; 'end' tells of that. Costs no thread.
 */
export class SeqpacketSocket extends Duplex {
  private readonly fd: number
  private readonly readiness: Readiness
  private readonly buffer = Buffer.alloc(RECEIVE_BYTES)
  private wantsRead = false
  private unsent: { bytes: Buffer; done: (error?: Error | null) => void } | undefined

  /** @param fd a connected, non-blocking socket; this object owns it */
  constructor(fd: number) {
    super({ readableObjectMode: true, allowHalfOpen: false, emitClose: true })
    this.fd = fd
    this.readiness = new Readiness(fd, () => {
      if (this.wantsRead) this.receiveMore()
      if (this.unsent && !this.destroyed) this.sendMore()
      this.watch()
    })
  }

  override _read(): void {
    this.wantsRead = true
    this.watch()
  }

  override _write(
    chunk: Buffer | string,
    encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    this.unsent = { bytes: Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk, encoding), done }
    this.sendMore()
    this.watch()
  }

  override _final(done: (error?: Error | null) => void): void {
    shutdown(this.fd, SHUT_WR)
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.readiness.close()
    close(this.fd)
    this.unsent?.done(error ?? new Error('the socket was closed'))
    this.unsent = undefined
    done(error)
  }

  /** Asks the event loop for exactly what is waited for. */
  private watch(): void {
    if (!this.destroyed)
      this.readiness.want({ readable: this.wantsRead, writable: this.unsent !== undefined })
  }

  private receiveMore(): void {
    for (let packets = 0; this.wantsRead && !this.destroyed && packets < PACKETS_PER_TURN; packets++) {
      const length = recv(this.fd, this.buffer, this.buffer.length, 0)
      if (length < 0) {
        const reason = errno()
        // A reset (the peer closed without reading all of ours) is told once, before the packets that wait.
        if (reason === EINTR || reason === ECONNRESET) continue
        if (reason !== EAGAIN) this.destroy(new SysError('recv', reason, { path: 'seqpacket socket' }))
        return
      }
      if (length === 0) {
        this.wantsRead = false
        this.push(null)
        return
      }
      this.wantsRead = this.push(Buffer.from(this.buffer.subarray(0, length)))
    }
  }

  private sendMore(): void {
    while (this.unsent && this.unsent.bytes.length > 0) {
      const packet = this.unsent.bytes.subarray(0, SEND_BYTES)
      const sent = send(this.fd, packet, packet.length, MSG_NOSIGNAL)
      if (sent < 0) {
        const reason = errno()
        if (reason === EINTR) continue
        if (reason === EAGAIN) return
        // Nobody reads any more. That is no error: what the peer said last must still come through, then 'end'.
        if (reason === EPIPE || reason === ECONNRESET) break
        this.finishWrite(new SysError('send', reason, { path: 'seqpacket socket' }))
        return
      }
      this.unsent.bytes = this.unsent.bytes.subarray(sent)
    }
    this.finishWrite()
  }

  private finishWrite(error?: Error): void {
    const done = this.unsent?.done
    this.unsent = undefined
    done?.(error)
  }
}

/**
 * Connects to a SEQPACKET socket of any path length: it is reached through a descriptor of its directory,
 * since a socket address holds 108 bytes only.
 * @throws SysError ENOENT, ECONNREFUSED
 */
export function connectSeqpacket(path: string): SeqpacketSocket {
  const fd = check(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), 'socket')
  try {
    const dir = fs.openSync(dirname(path), 0o10000000 | fs.constants.O_DIRECTORY)
    try {
      const address = unixAddress(`/proc/self/fd/${dir}/${basename(path)}`)
      check(connect(fd, address.bytes, address.length), 'connect', { path })
    } finally {
      fs.closeSync(dir)
    }
    return new SeqpacketSocket(fd)
  } catch (error) {
    close(fd)
    throw error
  }
}
