import ipaddr from 'ipaddr.js'
import { SysError } from './errors.ts'
import type { Netns } from './namespaces.ts'
import { NetlinkRequest, NLM_F, parseAttributes } from './netlink-message.ts'
import { NETLINK, NetlinkSocket } from './netlink-socket.ts'

// include/uapi/linux/netfilter/nfnetlink_conntrack.h; messages of subsystem 1
const GET = (1 << 8) | 1
const DELETE = (1 << 8) | 2
const CTA = { TUPLE_ORIG: 1, TUPLE_REPLY: 2, FILTER: 25 } as const
const TUPLE = { IP: 1, PROTO: 2 } as const
const IP = { V4_SRC: 1 } as const
const PROTO = { NUM: 1 } as const
/** Which parts of the tuple the kernel compares: source address and protocol. */
const FILTER_REPLY_FLAGS = 2
const BY_SOURCE_AND_PROTOCOL = 1 | (1 << 3)
const PROTOCOLS = { tcp: 6, udp: 17 } as const
const AF_INET = 2
const ENOENT = 2

/**
 * Makes the firewall forget the connections that lead to an address, redirected ones above all. UDP needs it:
 * as long as a client goes on sending, its packets are led to where the first one was led, even when that
 * container is gone and another has its port.
 * @param address IPv4
 * @returns how many were forgotten
 * @throws SysError EPERM without CAP_NET_ADMIN
 */
export function forgetConnections(address: string, protocol: 'tcp' | 'udp', netns?: Netns): number {
  const bytes = Uint8Array.from(ipaddr.IPv4.parse(address).toByteArray())
  const socket = new NetlinkSocket(netns, NETLINK.NETFILTER)
  try {
    let forgotten = 0
    for (const { body } of socket.ask(listRequest(bytes, protocol), 'list of connections')) {
      const attributes = parseAttributes(body, 4)
      const original = attributes.get(CTA.TUPLE_ORIG)
      // Kernels before 5.8 know no filter and list all.
      if (!original || !leadsTo(attributes.get(CTA.TUPLE_REPLY), bytes, PROTOCOLS[protocol])) continue
      if (forget(socket, original)) forgotten++
    }
    return forgotten
  } finally {
    socket.close()
  }
}

/** struct nfgenmsg: family, version, resource. */
function request(type: number, flags: number): NetlinkRequest {
  return new NetlinkRequest(type, flags).bytes(AF_INET, 0, 0, 0)
}

function listRequest(address: Uint8Array, protocol: 'tcp' | 'udp'): NetlinkRequest {
  return request(GET, NLM_F.DUMP)
    .nested(CTA.TUPLE_REPLY, (tuple) =>
      tuple
        .nested(TUPLE.IP, (ip) => ip.attribute(IP.V4_SRC, address))
        .nested(TUPLE.PROTO, (proto) => proto.u8(PROTO.NUM, PROTOCOLS[protocol])),
    )
    .nested(CTA.FILTER, (filter) => filter.u32(FILTER_REPLY_FLAGS, BY_SOURCE_AND_PROTOCOL))
}

/** Whether answers come from the address. */
function leadsTo(reply: Buffer | undefined, address: Uint8Array, protocol: number): boolean {
  if (!reply) return false
  const tuple = parseAttributes(reply, 0)
  const [ip, proto] = [tuple.get(TUPLE.IP), tuple.get(TUPLE.PROTO)]
  const source = ip && parseAttributes(ip, 0).get(IP.V4_SRC)
  return (
    proto !== undefined &&
    parseAttributes(proto, 0).get(PROTO.NUM)?.[0] === protocol &&
    source?.equals(address) === true
  )
}

/** Returns false where it ended by itself meanwhile. */
function forget(socket: NetlinkSocket, original: Buffer): boolean {
  try {
    socket.change(
      request(DELETE, NLM_F.ACK).nested(CTA.TUPLE_ORIG, (tuple) => tuple.bytes(...original)),
      'forget a connection',
    )
    return true
  } catch (error) {
    if (error instanceof SysError && error.errno === ENOENT) return false
    throw error
  }
}
