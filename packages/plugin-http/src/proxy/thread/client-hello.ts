/** The first message of a TLS connection, as far as the edge must know it before it answers. RFC 8446 4.1.2. @module */

export interface ClientHello {
  serverName: string | undefined
  protocols: string[]
}

const SERVER_NAME = 0
const ALPN = 16

/**
 * Reads name and protocols of a ClientHello that lies in one record, as those of ACME servers do (RFC 8737).
 * Undefined where it is none or not whole: then the connection is like any other.
 */
export function readClientHello(buf: Buffer): ClientHello | undefined {
  try {
    if (buf[0] !== 22 || buf[5] !== 1) return undefined
    const end = Math.min(buf.length, 5 + buf.readUInt16BE(3))
    let at = 43
    at += 1 + buf[at]!
    at += 2 + buf.readUInt16BE(at)
    at += 1 + buf[at]!
    at += 2
    const hello: ClientHello = { serverName: undefined, protocols: [] }
    while (at + 4 <= end) {
      const type = buf.readUInt16BE(at)
      const size = buf.readUInt16BE(at + 2)
      const body = buf.subarray(at + 4, at + 4 + size)
      if (type === SERVER_NAME && body[2] === 0)
        hello.serverName = body.toString('latin1', 5, 5 + body.readUInt16BE(3)).toLowerCase()
      else if (type === ALPN)
        for (let p = 2; p < body.length; p += 1 + body[p]!)
          hello.protocols.push(body.toString('latin1', p + 1, p + 1 + body[p]!))
      at += 4 + size
    }
    return hello
  } catch {
    return undefined
  }
}
