import { SysError } from './errors.ts'
import { check, close, errno, foreign } from './libc.ts'
import { type Netns, withNetns } from './namespaces.ts'
import {
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F,
  parseAttributes,
  parseMessages,
  text,
} from './netlink-message.ts'

const socket = foreign('socket', 'int', ['int', 'int', 'int'])
const bind = foreign('bind', 'int', ['int', 'void *', 'uint'])
const setsockopt = foreign('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint'])
const send = foreign('send', 'long', ['int', 'void *', 'size_t', 'int'])
const recv = foreign('recv', 'long', ['int', 'void *', 'size_t', 'int'])

const AF_NETLINK = 16
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const SOL_NETLINK = 270
const NETLINK_CAP_ACK = 10
const NETLINK_EXT_ACK = 11
const SOL_SOCKET = 1
const SO_RCVTIMEO = 20
const NLMSG_ERROR = 2
const NLMSG_DONE = 3
const EINTR = 4
const RECEIVE_BYTES = 64 * 1024

/** Who answers in the kernel: devices and routes, or the firewall. */
export const NETLINK = { ROUTE: 0, NETFILTER: 12 } as const

/** A synchronous netlink socket: the kernel answers a request before `send` returns. */
export class NetlinkSocket {
  private readonly fd: number
  private sequence = 0
  private closed = false
  private readonly buffer = Buffer.alloc(RECEIVE_BYTES)

  /** @param netns the namespace it speaks to, for good; default: the caller's */
  constructor(netns?: Netns, protocol: number = NETLINK.ROUTE) {
    const make = () =>
      check(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), 'socket', { path: 'netlink' })
    this.fd = netns === undefined ? make() : withNetns(netns, make)
    const address = Buffer.alloc(12) // struct sockaddr_nl: the kernel picks the port id
    address.writeUInt16LE(AF_NETLINK, 0)
    check(bind(this.fd, address, address.length), 'bind', { path: 'netlink' })
    const on = Buffer.from([1, 0, 0, 0])
    setsockopt(this.fd, SOL_NETLINK, NETLINK_CAP_ACK, on, 4) // short errors, and with words: both optional
    setsockopt(this.fd, SOL_NETLINK, NETLINK_EXT_ACK, on, 4)
    const timeout = Buffer.alloc(16) // struct timeval: a lost answer must not hang the event loop for ever
    timeout.writeBigInt64LE(2n, 0)
    setsockopt(this.fd, SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length)
  }

  /** Sends a request that changes something, and waits for its acknowledgement. @throws SysError */
  change(request: NetlinkRequest, what: string): void {
    this.exchange(request, what)
  }

  /** Sends a request that asks; the answers without the closing message. @throws SysError */
  ask(request: NetlinkRequest, what: string): NetlinkMessage[] {
    for (let tries = 0; tries < 8; tries++) {
      const answers = this.exchange(request, what)
      // The list changed while it was read: ask again.
      if (!answers.some((answer) => answer.flags & NLM_F.DUMP_INTR)) return answers
    }
    throw new SysError('netlink', EINTR, { path: what, detail: 'the list kept changing while it was read' })
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    close(this.fd)
  }

  private exchange(request: NetlinkRequest, what: string): NetlinkMessage[] {
    if (this.closed) throw new SysError('netlink', 9, { path: what, detail: 'the socket is closed' })
    const sequence = ++this.sequence
    const message = request.finish(sequence)
    check(send(this.fd, message, message.length, 0), 'netlink', { path: what })
    const answers: NetlinkMessage[] = []
    for (;;) {
      for (const answer of parseMessages(this.receive(what))) {
        if (answer.sequence !== sequence) continue // left over from a request that failed half-way
        if (answer.type === NLMSG_ERROR) {
          throwUnlessAck(answer, what)
          return answers
        }
        if (answer.type === NLMSG_DONE) {
          throwUnlessAck(answer, what)
          return answers
        }
        answers.push(answer)
      }
    }
  }

  private receive(what: string): Buffer {
    let length = recv(this.fd, this.buffer, this.buffer.length, 0)
    while (length < 0 && errno() === EINTR) length = recv(this.fd, this.buffer, this.buffer.length, 0)
    check(length, 'netlink', { path: what })
    return Buffer.from(this.buffer.subarray(0, length))
  }
}

/** An acknowledgement is an error of number 0; the kernel's words (NLMSGERR_ATTR_MSG) follow the header copy. */
function throwUnlessAck(answer: NetlinkMessage, what: string): void {
  const code = answer.body.length >= 4 ? answer.body.readInt32LE(0) : 0
  if (code >= 0) return
  const offset = answer.type === NLMSG_ERROR ? 20 : 4
  throw new SysError('netlink', -code, {
    path: what,
    detail: text(parseAttributes(answer.body, offset).get(1)),
  })
}
