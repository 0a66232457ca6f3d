import { once } from 'node:events'
import { type ContainerExit, frameType, Processes, type RunningCommand } from '@kernel/contracts'
import { fake } from '@kernel/kernel/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { startApiServer } from '../testing/api-server.ts'
import { FakeProcess } from '../testing/fake-process.ts'
import { connectRaw } from '../testing/raw-client.ts'
import { encodeFrame, frameReader } from './command-stream.ts'

describe('frames', () => {
  it('come out as they went in, however they are cut', () => {
    const frame = fc.record({
      type: fc.integer({ min: 0, max: 4 }),
      payload: fc.uint8Array({ maxLength: 50 }),
    })
    fc.assert(
      fc.property(fc.array(frame), fc.integer({ min: 1, max: 20 }), (frames, step) => {
        const bytes = Buffer.concat(frames.map(({ type, payload }) => encodeFrame(type, payload)))
        const read = frameReader()
        const out = []
        for (let at = 0; at < bytes.length; at += step) out.push(...read(bytes.subarray(at, at + step)))
        expect(out.map(({ type, payload }) => ({ type, payload: [...payload] }))).toEqual(
          frames.map(({ type, payload }) => ({ type, payload: [...payload] })),
        )
      }),
    )
  })

  it('are refused where they are too long to be meant', () => {
    expect(() => frameReader()(Buffer.from([0, 0xff, 0, 0, 0]))).toThrow(RangeError)
  })
})

describe('run', () => {
  async function start() {
    const seen = { options: undefined as unknown, killed: Promise.withResolvers<void>(), size: [0, 0] }
    const process = new FakeProcess()
    const { socketPath } = await startApiServer([
      fake(Processes, {
        async run(_app, options): Promise<RunningCommand> {
          seen.options = options
          void process.run(async ({ stdin, write }) => {
            for await (const chunk of stdin) write(1, `got ${chunk};`)
            write(2, 'end')
            return 7
          }, [])
          return {
            stream: process.attach(),
            exit: process.exit as Promise<ContainerExit>,
            resize: async (rows, columns) => {
              seen.size = [rows, columns]
            },
            kill: async () => {
              process.kill()
              seen.killed.resolve()
            },
          }
        },
      }),
    ])
    const client = await connectRaw(socketPath)
    const query = new URLSearchParams({
      command: '["cat"]',
      stdin: 'true',
      rows: '24',
      columns: '80',
      env: '{"A":"1"}',
    })
    client.write(
      `POST /api/v1/apps/blog/run?${query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
    )
    return { client, seen }
  }

  it('joins the caller with the command until it ends', async () => {
    const { client, seen } = await start()
    await client.until('101 UPGRADED')
    expect(seen.options).toEqual({
      command: ['cat'],
      tty: false,
      stdin: true,
      rows: 24,
      columns: 80,
      env: { A: '1' },
    })
    client.write(encodeFrame(frameType.resize, Buffer.from('{"rows":40,"columns":100}')))
    client.write(encodeFrame(frameType.stdin, Buffer.from('hello')))
    await client.until('got hello;')
    expect(seen.size).toEqual([40, 100])
    client.write(encodeFrame(frameType.stdin, new Uint8Array()))
    const all = await client.end()
    const body = all.subarray(all.indexOf('\r\n\r\n') + 4)
    expect(frameReader()(body).map(({ type, payload }) => [type, payload.toString()])).toEqual([
      [frameType.stdout, 'got hello;'],
      [frameType.stderr, 'end'],
      [frameType.exit, '{"exitCode":7}'],
    ])
  })

  it('still takes input when the command has ended, and ends with the caller', async () => {
    const { client } = await start()
    await client.until('101 UPGRADED')
    client.write(encodeFrame(frameType.stdin, new Uint8Array()))
    await client.end()
    for (let n = 0; n < 3; n++) {
      const failure = await new Promise((resolve) =>
        client.socket.write(encodeFrame(frameType.stdin, Buffer.from('late')), resolve),
      )
      expect(failure ?? undefined).toBeUndefined()
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    const closed = once(client.socket, 'close')
    client.socket.end()
    await closed
  })

  it('ends the command where the caller leaves, or talks nonsense', async () => {
    const gone = await start()
    await gone.client.until('101 UPGRADED')
    gone.client.socket.destroy()
    await gone.seen.killed.promise
    const nonsense = await start()
    await nonsense.client.until('101 UPGRADED')
    nonsense.client.write(encodeFrame(frameType.resize, Buffer.from('{"rows":-1}')))
    await nonsense.seen.killed.promise
  })
})
