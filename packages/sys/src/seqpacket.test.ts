import { once } from 'node:events'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { check, close, foreign } from './libc.ts'
import { connectSeqpacket, SeqpacketSocket } from './seqpacket.ts'
import { AF_UNIX, unixAddress } from './socket-address.ts'

const isLinux = process.platform === 'linux'
if (!isLinux) console.log('seqpacket.test: skipped, the mechanism is that of Linux')

const socket = foreign('socket', 'int', ['int', 'int', 'int'])
const bind = foreign('bind', 'int', ['int', 'void *', 'uint'])
const listen = foreign('listen', 'int', ['int', 'int'])
const accept4 = foreign('accept4', 'int', ['int', 'void *', 'void *', 'int'])

describe.runIf(isLinux)('SeqpacketSocket', () => {
  let dir: string
  let path: string
  let listener: number
  let client: SeqpacketSocket
  let server: SeqpacketSocket

  beforeEach(() => {
    // A directory whose name alone is longer than a socket address
    dir = fs.mkdtempSync(join(tmpdir(), 'sys-seqpacket-'))
    const deep = join(dir, 'x'.repeat(150))
    fs.mkdirSync(deep)
    path = join(deep, 'attach')
    const fd = fs.openSync(deep, 'r')
    listener = check(socket(AF_UNIX, 5 | 0o2000000, 0), 'socket')
    const address = unixAddress(`/proc/self/fd/${fd}/attach`)
    check(bind(listener, address.bytes, address.length), 'bind')
    check(listen(listener, 4), 'listen')
    fs.closeSync(fd)
    client = connectSeqpacket(path)
    server = new SeqpacketSocket(check(accept4(listener, null, null, 0o2004000), 'accept'))
  })
  afterEach(() => {
    client.destroy()
    server.destroy()
    close(listener)
    fs.rmSync(dir, { recursive: true })
  })

  it('keeps packets as they were sent, first byte included, and ends', async () => {
    const packets: Buffer[] = []
    server.write(Buffer.from([2, 0x61, 0x62]))
    server.write(Buffer.from([3, 0x63]))
    server.end(Buffer.from([2]))
    for await (const packet of client) packets.push(packet)
    expect(packets.map((packet) => [...packet])).toEqual([[2, 0x61, 0x62], [3, 0x63], [2]])
  })

  it('goes both ways, and half-closes', async () => {
    let received = ''
    server.on('data', (packet) => {
      received += packet
    })
    client.write('some ')
    client.end('input')
    await once(server, 'end')
    expect(received).toBe('some input')
  })

  it('moves megabytes, in packets of at most 8 KiB, while the reader is slower', async () => {
    const sent = Buffer.alloc(3_000_001, 'abcdefghij')
    client.end(sent)
    const chunks: Buffer[] = []
    let largest = 0
    for await (const packet of server as AsyncIterable<Buffer>) {
      chunks.push(packet)
      largest = Math.max(largest, packet.length)
      if (chunks.length % 16 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(Buffer.concat(chunks).equals(sent)).toBe(true)
    expect(largest).toBe(8192)
  })

  it('passes on the last words of a peer that went away without listening', async () => {
    client.write('never read')
    server.write(Buffer.from('2last'))
    server.write(Buffer.from('2words'))
    server.destroy()
    await once(server, 'close')
    client.write('too late')
    let words = ''
    for await (const packet of client) words += packet
    expect(words).toBe('2last2words')
  })

  it('closes its descriptor', async () => {
    const before = fs.readdirSync('/proc/self/fd').length
    client.destroy()
    server.destroy()
    await Promise.all([once(client, 'close'), once(server, 'close')])
    expect(fs.readdirSync('/proc/self/fd').length).toBe(before - 2)
    expect(() => connectSeqpacket(join(dir, 'none'))).toThrow(/connect .*none.*ENOENT/)
    expect(fs.readdirSync('/proc/self/fd').length).toBe(before - 2)
  })
})
