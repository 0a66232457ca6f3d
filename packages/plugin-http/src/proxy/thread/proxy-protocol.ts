/** The PROXY protocol, versions 1 and 2: who the visitor is, told by a balancer in front of the edge. @module */

/** What the header says; `address` is absent where the balancer speaks for itself (LOCAL, UNKNOWN). */
export interface ProxyHeader {
  address: string | undefined
  /** Of the edge, as the visitor reached it. */
  localPort: number | undefined
  /** Bytes of the header. */
  size: number
}

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V1 =
  /^PROXY (?:(TCP4|TCP6) ([0-9a-fA-F.:]{2,39}) [0-9a-fA-F.:]{2,39} \d{1,5} (\d{1,5})|UNKNOWN[^\r\n]*)\r\n$/
const V1_MAX = 107
const V2_MAX = 536

/** Reads the header at the begin of a connection; undefined: more bytes are needed; `bad`: it is none. */
export function readProxyHeader(buf: Buffer): ProxyHeader | 'bad' | undefined {
  if (buf.length === 0) return undefined
  return buf[0] === SIGNATURE[0] ? readV2(buf) : readV1(buf)
}

function readV1(buf: Buffer): ProxyHeader | 'bad' | undefined {
  const lf = buf.indexOf(10)
  if (lf < 0) {
    const start = buf.toString('latin1', 0, Math.min(buf.length, 6))
    return buf.length >= V1_MAX || !'PROXY '.startsWith(start) ? 'bad' : undefined
  }
  if (lf >= V1_MAX) return 'bad'
  const found = V1.exec(buf.toString('latin1', 0, lf + 1))
  if (!found) return 'bad'
  const [, , address, port] = found
  return { address, localPort: port === undefined ? undefined : Number(port), size: lf + 1 }
}

function readV2(buf: Buffer): ProxyHeader | 'bad' | undefined {
  const known = Math.min(buf.length, SIGNATURE.length)
  if (buf.compare(SIGNATURE, 0, known, 0, known) !== 0) return 'bad'
  if (buf.length < 16) return undefined
  const version = buf[12]! >> 4
  const command = buf[12]! & 0x0f
  const family = buf[13]!
  const length = buf.readUInt16BE(14)
  if (version !== 2 || command > 1 || length > V2_MAX) return 'bad'
  const size = 16 + length
  if (buf.length < size) return undefined
  const local: ProxyHeader = { address: undefined, localPort: undefined, size }
  if (command === 0) return local
  if (family === 0x11) {
    if (length < 12) return 'bad'
    return { address: [...buf.subarray(16, 20)].join('.'), localPort: buf.readUInt16BE(26), size }
  }
  if (family === 0x21) {
    if (length < 36) return 'bad'
    return { address: ipv6Of(buf.subarray(16, 32)), localPort: buf.readUInt16BE(50), size }
  }
  return local
}

function ipv6Of(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16))
  // As a URL spells it: the shortest form, so that lists of addresses match.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
