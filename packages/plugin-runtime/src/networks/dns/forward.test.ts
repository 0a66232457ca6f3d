import dgram from 'node:dgram'
import net from 'node:net'
import dnsPacket from 'dns-packet'
import { afterEach, describe, expect, test } from 'vitest'
import { forwardQuery } from './forward.ts'
import { readMessages, withLength } from './tcp-messages.ts'

const canBind = process.getuid?.() === 0
if (!canBind) console.log('not root: queries are not forwarded to servers on port 53')

const query = dnsPacket.encode({ type: 'query', id: 77, questions: [{ type: 'A', name: 'example.com' }] })
const closers: Array<() => void> = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** A name server that answers every question with its own address, or with an error code. */
async function upstream(address: string, rcode = 0): Promise<string> {
  const answer = (asked: Buffer) => {
    const { id, questions } = dnsPacket.decode(asked)
    const answers = rcode === 0 ? [{ type: 'A' as const, name: 'example.com', data: address }] : []
    return dnsPacket.encode({ type: 'response', id, flags: rcode, questions, answers })
  }
  const udp = dgram.createSocket('udp4')
  udp.on('message', (asked, from) => udp.send(answer(asked), from.port, from.address))
  await new Promise<void>((resolve) => udp.bind(53, address, resolve))
  const tcp = net.createServer((socket) => {
    readMessages(socket, (asked) => socket.end(withLength(answer(asked))))
  })
  await new Promise<void>((resolve) => tcp.listen(53, address, resolve))
  closers.push(
    () => udp.close(),
    () => tcp.close(),
  )
  return address
}

async function ask(servers: string[], tcp: boolean) {
  const answer = await forwardQuery(query, servers, tcp)
  if (!answer) return undefined
  const packet = dnsPacket.decode(answer) as dnsPacket.DecodedPacket & { rcode: string }
  return {
    id: packet.id,
    rcode: packet.rcode,
    data: packet.answers?.map((one) => (one as { data: string }).data),
  }
}

describe.runIf(canBind)('forwarding', () => {
  test.each([false, true])('answers come back under the id that was asked with (tcp: %s)', async (tcp) => {
    const server = await upstream('127.53.1.1')
    expect(await ask([server], tcp)).toEqual({ id: 77, rcode: 'NOERROR', data: [server] })
  })

  test.each([false, true])('the next server is asked where one is dead or unable (tcp: %s)', async (tcp) => {
    const unable = await upstream('127.53.1.2', 2)
    const able = await upstream('127.53.1.3')
    expect(await ask(['127.53.1.99', unable, able], tcp)).toMatchObject({ data: [able] })
    expect(await ask(['127.53.1.99', unable], tcp)).toMatchObject({ rcode: 'SERVFAIL' })
    expect(await ask(['127.53.1.99'], tcp)).toBeUndefined()
    expect(await ask([], tcp)).toBeUndefined()
  })
})

test('messages over TCP are put together from any pieces', async () => {
  const received: string[] = []
  const server = net.createServer((socket) =>
    readMessages(socket, (message) => received.push(String(message))),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  client.setNoDelay()
  const bytes = Buffer.concat(['one', '', 'three'].map((text) => withLength(Buffer.from(text))))
  for (const byte of bytes) {
    client.write(Buffer.of(byte))
    await new Promise(setImmediate)
  }
  await new Promise<void>((resolve) => {
    server.once('connection', () => {})
    client.end(resolve)
  })
  while (received.length < 3) await new Promise(setImmediate)
  expect(received).toEqual(['one', '', 'three'])
  server.close()
})
