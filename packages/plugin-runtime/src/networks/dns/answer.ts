import dnsPacket from 'dns-packet'

/** What a container may know: the answer to a name or an address, or undefined where the world is to be asked. */
export interface Names {
  /** @param name in lower case, without the dot at its end */
  addresses(name: string): string[]
  nameOf(address: string): string | undefined
}

/** Containers move: no one should remember an address for long. */
const TTL_SECONDS = 5
const RESPONSE = 0x8000
const AUTHORITATIVE = 1 << 10
const TRUNCATED = 1 << 9
const RECURSION_DESIRED = 1 << 8
const RECURSION_AVAILABLE = 1 << 7
const OPCODE = 0x7800
/** What fits into UDP without EDNS (RFC 1035, section 4.2.1). */
const UDP_BYTES = 512

export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NOTIMP: 4 } as const

/**
 * Answers a query out of the names, or says `forward`. What is no query at all gets no answer (undefined), as
 * answering it could make two servers talk for ever.
 */
export function answerQuery(query: Buffer, names: Names, tcp: boolean): Buffer | 'forward' | undefined {
  if (query.length < 12 || query.readUInt16BE(2) & RESPONSE) return undefined
  let packet: dnsPacket.Packet
  try {
    packet = dnsPacket.decode(query)
  } catch {
    return failure(query, RCODE.FORMERR)
  }
  const [question, another] = packet.questions ?? []
  if (query.readUInt16BE(2) & OPCODE) return failure(query, RCODE.NOTIMP)
  if (!question || another) return failure(query, RCODE.FORMERR)
  const answers = look(question, names)
  if (!answers) return 'forward'
  const flags = AUTHORITATIVE | RECURSION_AVAILABLE | (query.readUInt16BE(2) & RECURSION_DESIRED)
  const reply: dnsPacket.Packet = { type: 'response', id: packet.id, flags, questions: [question], answers }
  const encoded = dnsPacket.encode(reply)
  if (tcp || encoded.length <= UDP_BYTES) return encoded
  return dnsPacket.encode({ ...reply, flags: flags | TRUNCATED, answers: [] })
}

function look(question: dnsPacket.Question, names: Names): dnsPacket.Answer[] | undefined {
  if ((question.class ?? 'IN') !== 'IN') return undefined
  const name = question.name.toLowerCase().replace(/\.$/, '')
  if (question.type === 'PTR') {
    const found = names.nameOf(addressOfPtr(name) ?? '')
    return found === undefined
      ? undefined
      : [{ type: 'PTR', name: question.name, ttl: TTL_SECONDS, data: found }]
  }
  const addresses = names.addresses(name)
  if (addresses.length === 0) return undefined
  // The name is ours: of any other type there is nothing, and no one else is to be asked (RFC 2308: no data).
  if (question.type !== 'A' && (question.type as string) !== 'ANY') return []
  return addresses.map((data) => ({ type: 'A', name: question.name, ttl: TTL_SECONDS, data }))
}

/** `2.0.18.172.in-addr.arpa` is 172.18.0.2. */
function addressOfPtr(name: string): string | undefined {
  return /^((\d{1,3}\.){4})in-addr\.arpa$/.exec(name)?.[1]?.split('.').filter(Boolean).reverse().join('.')
}

/** The query sent back with an error code and without anything after its header's counts that we did not read. */
export function failure(query: Buffer, rcode: number): Buffer {
  const head = Buffer.from(query.subarray(0, 12))
  const asked = query.readUInt16BE(2)
  head.writeUInt16BE(RESPONSE | (asked & (OPCODE | RECURSION_DESIRED)) | RECURSION_AVAILABLE | rcode, 2)
  head.fill(0, 4)
  try {
    const { questions = [] } = dnsPacket.decode(query)
    const plain = dnsPacket.encode({ type: 'response', id: query.readUInt16BE(0), questions })
    plain.writeUInt16BE(head.readUInt16BE(2), 2)
    return plain
  } catch {
    return head
  }
}
