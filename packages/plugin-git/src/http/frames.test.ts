import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { frameType } from '@kernel/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encodeFrame, framedClient } from './frames.ts'

let here: Socket
let there: Socket
beforeEach(async () => {
  const server = createServer().listen(0)
  await once(server, 'listening')
  const address = server.address()
  there = connect(typeof address === 'object' && address ? address.port : 0)
  ;[here] = (await once(server, 'connection')) as [Socket]
  there.on('error', () => {})
  server.close()
})
afterEach(() => {
  here.destroy()
  there.destroy()
})

describe('framedClient', () => {
  it('hands input on, cut anywhere, to its end', async () => {
    const { input } = framedClient(here)
    const data = Buffer.alloc(300_000, 'input')
    const frames = Buffer.concat([
      encodeFrame(frameType.stdin, data),
      encodeFrame(9, Buffer.from('of a kind that is not known')),
      encodeFrame(frameType.stdin, data),
      encodeFrame(frameType.stdin, Buffer.alloc(0)),
    ])
    for (let at = 0; at < frames.length; at += 7777) there.write(frames.subarray(at, at + 7777))
    expect((await buffer(input)).equals(Buffer.concat([data, data]))).toBe(true)
  })

  it('sends output, errors and the exit code', async () => {
    const client = framedClient(here)
    client.output.write('out')
    client.error.write('err')
    await new Promise<void>((resolve) => {
      client.output.end(resolve)
    })
    client.exit(3)
    expect(await buffer(there)).toEqual(
      Buffer.concat([
        encodeFrame(frameType.stdout, Buffer.from('out')),
        encodeFrame(frameType.stderr, Buffer.from('err')),
        encodeFrame(frameType.exit, Buffer.from('{"exitCode":3}')),
      ]),
    )
  })

  it('tells of sizes', async () => {
    const client = framedClient(here)
    const size = new Promise((resolve) => {
      client.onResize((rows, columns) => resolve([rows, columns]))
    })
    there.write(encodeFrame(frameType.resize, Buffer.from('garbage')))
    there.write(encodeFrame(frameType.resize, Buffer.from('{"rows":50,"columns":120}')))
    expect(await size).toEqual([50, 120])
  })

  it('ends where a frame is too large, or the other side goes away', async () => {
    const { gone } = framedClient(here)
    const head = encodeFrame(frameType.stdin, Buffer.alloc(0))
    head.writeUInt32BE(0x7fffffff, 1)
    there.write(head)
    await once(gone, 'abort')
  })
})
