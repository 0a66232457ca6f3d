import { randomInt } from 'node:crypto'
import dgram from 'node:dgram'
import net from 'node:net'
import { readMessages, withLength } from './tcp-messages.ts'

/** A resolver in a container gives up after 5 s: two servers must have had their turn before. */
const SERVER_MS = 2000
/** Queries under way, of all containers: what is beyond is refused rather than kept. */
const MAX_PENDING = 1024
const MAX_SERVERS = 3

let pending = 0

/**
 * Asks the servers one after the other, from this machine's network: also its own stub resolver on 127.0.0.53 is
 * within reach from here.
 * @returns the first answer as it came, with the query's id; undefined where none came in time
 */
export async function forwardQuery(
  query: Buffer,
  servers: string[],
  tcp: boolean,
): Promise<Buffer | undefined> {
  if (pending >= MAX_PENDING) return undefined
  pending++
  try {
    let refusal: Buffer | undefined
    for (const server of servers.slice(0, MAX_SERVERS)) {
      const id = randomInt(0x10000)
      const asked = Buffer.from(query)
      asked.writeUInt16BE(id, 0)
      const answer = await (tcp ? overTcp : overUdp)(asked, server)
      if (!answer) continue
      answer.writeUInt16BE(query.readUInt16BE(0), 0)
      // SERVFAIL and REFUSED: another server may do better.
      const rcode = answer.readUInt16BE(2) & 0xf
      if (rcode !== 2 && rcode !== 5) return answer
      refusal ??= answer
    }
    return refusal
  } finally {
    pending--
  }
}

/** A socket and a random id for each query: an answer from elsewhere has to guess both. */
function overUdp(query: Buffer, server: string): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket(net.isIPv6(server.replace(/%.*/, '')) ? 'udp6' : 'udp4')
    const end = (answer?: Buffer) => {
      clearTimeout(timer)
      socket.removeAllListeners()
      socket.on('error', () => {})
      socket.close()
      resolve(answer)
    }
    const timer = setTimeout(end, SERVER_MS)
    socket.on('error', () => end())
    socket.on('message', (answer) => {
      if (answer.length >= 12 && answer.readUInt16BE(0) === query.readUInt16BE(0)) end(answer)
    })
    socket.connect(53, server, () => socket.send(query))
  })
}

function overTcp(query: Buffer, server: string): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect({ port: 53, host: server })
    const end = (answer?: Buffer) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(end, SERVER_MS * 2)
    socket.on('error', () => end()).on('close', () => end())
    socket.on('connect', () => socket.write(withLength(query)))
    readMessages(socket, (answer) => {
      if (answer.length >= 12 && answer.readUInt16BE(0) === query.readUInt16BE(0)) end(Buffer.from(answer))
    })
  })
}
